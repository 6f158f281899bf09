"""What this machine can do, measured in seconds: how fast it multiplies, reads memory and learns."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dragoman.core.sizing import free_memory
from dragoman.nn.arch import Arch
from dragoman.nn.blocks import Block
from dragoman.nn.operations import flops
from dragoman.nn.sights import Sights
from dragoman.train.precision import choose_device

__all__ = ["Machine", "measure_machine"]

_QUICK = 0.1  # seconds a figure below which matrices are smaller, so that a look costs no more than was asked


@dataclass(frozen=True, slots=True)
class Machine:
    """What was measured, of the quickest calls: what other programs took meanwhile is not the machine's."""

    device: str
    name: str
    fp32: float
    "FLOP/s of a product of square float32 matrices"
    bf16: float
    "the same of bf16"
    learning_fp32: float
    "FLOP/s of a transformer block forward and back in float32, counted as nn.operations counts them"
    learning_bf16: float
    "the same in bf16"
    bandwidth: float
    "bytes a second read and written by a copy"
    memory: int
    "bytes that are free"

    def peak(self, precision: str) -> float:
        """FLOP/s of matrices in that precision: what a training's speed is a fraction of."""
        return self.fp32 if precision == "fp32" else self.bf16

    def learning(self, precision: str) -> float:
        """FLOP/s that a training may be expected to reach."""
        return self.learning_fp32 if precision == "fp32" else self.learning_bf16


def measure_machine(device: str = "auto", seconds: float = 5.0, width: int = 512, length: int = 128) -> Machine:
    """Measure a device for about so many seconds, a fifth for each figure.

    `width` and `length` are those of the block that is timed: small models reach less of what the machine can do, so
    give those of yours. Raises UserError where the device is not there.
    """
    kind = torch.device(choose_device(device))
    part = seconds / 5
    quick = part < _QUICK
    side = (256 if quick else 1024) if kind.type == "cpu" else 8192
    numbers = 2**25 if kind.type == "cpu" else 2**28  # far more than any cache holds
    if quick:
        numbers //= 16
    with torch.random.fork_rng([kind] if kind.type == "cuda" else []):
        torch.manual_seed(0)
        learning = _learning_rate(kind, "fp32", width, length, part), _learning_rate(kind, "bf16", width, length, part)
        fp32, bf16 = (_product_rate(kind, dtype, side, part) for dtype in (torch.float32, torch.bfloat16))
    name = torch.cuda.get_device_name(kind) if kind.type == "cuda" else f"{torch.get_num_threads()} threads"
    return Machine(
        device=str(kind),
        name=name,
        fp32=fp32,
        bf16=bf16,
        learning_fp32=learning[0],
        learning_bf16=learning[1],
        bandwidth=_copy_rate(kind, numbers, part),
        memory=torch.cuda.mem_get_info(kind)[0] if kind.type == "cuda" else free_memory(),
    )


def _product_rate(device: torch.device, dtype: torch.dtype, side: int, seconds: float) -> float:
    one, two = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))  # [n, n]
    return 2.0 * side**3 / _quickest(lambda: one @ two, device, seconds)


def _copy_rate(device: torch.device, numbers: int, seconds: float) -> float:
    source = torch.zeros(numbers, device=device)  # [n]
    target = torch.empty_like(source)  # [n]
    return 8.0 * numbers / _quickest(lambda: target.copy_(source), device, seconds)


def _learning_rate(
    device: torch.device, precision: Literal["fp32", "bf16"], width: int, length: int, seconds: float
) -> float:
    """FLOP/s of one block, forward and back, on as many tokens as keep the machine busy."""
    width = max(64, width // 64 * 64)
    arch = _one_block(width, length)
    texts = max(1, (1024 if device.type == "cpu" else 16384) // length)
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    block = Block(arch).to(device, dtype).train()
    sight = Sights(arch, causal=True)(torch.arange(length, device=device)[None], None, dtype)[0]
    states = torch.randn(texts, length, width, device=device).to(dtype).requires_grad_()  # [b, s, w]
    slope = torch.randn_like(states)  # [b, s, w]

    def step() -> None:
        block(states, sight).backward(slope)

    work = flops(arch, texts, length)
    return (work.matrices + work.attention) / _quickest(step, device, seconds)


def _one_block(width: int, length: int) -> Arch:
    """A block as Llama has them, heads of 64."""
    return Arch(
        "llama",
        64,
        width,
        1,
        width // 64,
        width * 8 // 3 // 64 * 64,
        length,
        kind="decoder",
        norm="rms",
        norm_place="before",
        norm_eps=1e-5,
        position="rotary",
        attention_bias=False,
        output_bias=False,
        feed_forward_bias=False,
        activation="silu",
        gated=True,
        token_types=0,
        embedding_norm=False,
        dropout=0.0,
        attention_dropout=0.0,
    )


def _quickest(work: Callable[[], Tensor | None], device: torch.device, seconds: float) -> float:
    """Seconds of the quickest call, of all that can be made in the time and one at least, after one to warm up."""
    _timed(work, device)
    found: list[float] = []
    begun = time.perf_counter()
    while not found or time.perf_counter() - begun < seconds:
        found.append(_timed(work, device))
    return min(found)


def _timed(work: Callable[[], Tensor | None], device: torch.device) -> float:
    _wait(device)
    begun = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - begun


def _wait(device: torch.device) -> None:
    """Until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
