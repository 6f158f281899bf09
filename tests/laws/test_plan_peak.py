"""The peak of a real step of training is the planned one: the bytes of all tensors that live at once, to 15 %."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dragoman.nn.activations import Pass
from dragoman.nn.footprint import Learning, training_memory
from dragoman.nn.sizes import fresh_arch
from dragoman.nn.store import build_lm
from dragoman.stages.predict import chunked
from dragoman.train.cross_entropy import linear_cross_entropy
from dragoman.train.precision import working_copy


class Live(TorchDispatchMode):
    """Adds up the storages that exist, as operations make them and as they vanish."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple | list) else (made,):
            if isinstance(one, Tensor):
                self.add(one)
        return made

    def add(self, tensor: Tensor) -> None:
        """Count a tensor's storage until it is gone."""
        storage = tensor.untyped_storage()
        name, size = storage._cdata, storage.nbytes()
        if name not in self.known:
            self.known.add(name)
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self.drop, name, size)

    def drop(self, name: int, size: int) -> None:
        """A storage is gone."""
        self.known.discard(name)
        self.now -= size


@pytest.mark.parametrize(
    ("family", "parameters", "batch", "length", "precision", "recompute"),
    [
        ("gpt2", 200_000, 4, 64, "fp32", False),
        ("llama", 500_000, 8, 64, "fp32", False),
        ("qwen3", 1_000_000, 4, 128, "fp32", True),
        ("llama", 500_000, 8, 64, "bf16", False),
        ("gpt2", 1_000_000, 2, 128, "bf16", False),
    ],
)
def test_the_peak_of_a_step(
    family: str, parameters: int, batch: int, length: int, precision: Literal["fp32", "bf16"], recompute: bool
) -> None:
    arch = fresh_arch(family, 512, length, parameters=parameters)
    net = build_lm(arch).train()
    working = working_copy(net, precision, [name for name, _ in net.named_parameters()])
    for part in working.net.modules():
        if hasattr(part, "recompute"):
            part.recompute = recompute
    optimizer = torch.optim.AdamW(net.parameters(), fused=True)
    ids = torch.randint(3, 500, (batch, length + 1), generator=torch.Generator().manual_seed(0))  # [b, s + 1]
    live = Live()
    for number in range(2):  # the second step is as all later ones
        if number:
            held = {*net.parameters(), *working.net.parameters()}
            grown = [weight.grad for weight in net.parameters() if weight.grad is not None]
            kept = [value for state in optimizer.state.values() for value in state.values()]
            for tensor in (*held, *grown, *kept):
                live.add(tensor)
            live.__enter__()
        working.clear()
        states = working.net.refine(working.net.states(ids[:, :-1]))  # [b, s, w]
        loss = linear_cross_entropy(states.flatten(0, 1), working.net.head.weight, None, ids[:, 1:].flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        working.gather(first=True)
        optimizer.step()
        working.spread()
        del loss, states
    live.__exit__(None, None, None)
    step = Pass(batch, length, precision=precision, recompute=recompute)
    planned = training_memory(arch, step, chunked(arch, step, Learning()))
    assert planned.total - planned.holes == pytest.approx(live.peak, rel=0.15)
