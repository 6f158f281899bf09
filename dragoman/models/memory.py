"""What fits into memory: how many tokens of cache at once, and one message where it was too much after all."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch

__all__ = ["cached_tokens", "enough_memory"]

_CPU_CACHE = 2 * 10**9  # bytes of keys and values at a time: a machine of 8 GB still has the weights to hold
_SCARCE = re.compile(r"out of memory|can't allocate memory|not enough memory|DefaultCPUAllocator", re.IGNORECASE)


def cached_tokens(arch: Arch, device: torch.device, size: int) -> int:
    """How many tokens, those of all rows together, may have keys and values in memory at once; at least 1.

    A token takes 2 x layers x kv_heads x head_width numbers of `size` bytes. On a GPU they get half of what is free,
    elsewhere 2 GB.
    """
    token = 2 * (arch.decoder_layers or arch.layers) * arch.groups * arch.head_size * size
    return max(1, _room(device) // token)


@contextmanager
def enough_memory(eight_bits: bool) -> Iterator[None]:
    """What runs inside and finds no memory is one UserError; `eight_bits` tells whether int8 would lessen it."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError, on a CPU it is a plain one
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and not _SCARCE.search(str(error)):
            raise
        fewer = "precision=int8" if eight_bits else "precision=bf16"
        hint = f"say max_tokens=... lower, shorten the prompt, or keep the weights smaller with {fewer}"
        raise UserError("this machine has too little memory for the model with this prompt and answer", hint) from None


def _room(device: torch.device) -> int:
    if device.type != "cuda":
        return _CPU_CACHE
    free, _ = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # torch's own, to be used again
    return (free + kept) // 2
