"""One decoding step as a CUDA graph: the GPU replays it whole, not told of its hundreds of kernels one by one."""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dragoman.nn.cache import Cache

__all__ = ["Graph"]


@runtime_checkable
class _Reader(Protocol):
    """What a step needs of a reading (nn.decode.Reading)."""

    cache: Cache
    logits: Tensor

    def go_on(self, ids: Tensor) -> Tensor: ...


class Graph:
    """The step of one batch, recorded once and replayed: every tensor in it has one shape and one address.

    So the cache gives back all its places and a mask hides those to come (`Cache.open_whole`). Where there is no CUDA
    the same step runs as it stands, which is how it is tested.
    """

    def __init__(self, reading: _Reader) -> None:
        """Take over the reading's cache. Nothing is recorded before the first token is there."""
        self._reading = reading
        self._slot = reading.cache.open_whole()  # [1]
        self._ids = torch.zeros((len(reading.logits), 1), dtype=torch.long, device=reading.logits.device)  # [b, 1]
        self._logits: Tensor | None = None
        self._recorded: Any = None

    def __call__(self, ids: Int[Tensor, "b"]) -> Float[Tensor, "b v"]:
        """Read one more token of each row; the logits of the next one."""
        self._ids[:, 0] = ids
        if self._ids.device.type != "cuda":
            logits = self._step()  # [b, v]
        else:
            if self._recorded is None:
                self._record()
            self._recorded.replay()
            assert self._logits is not None
            logits = self._logits.clone()  # [b, v]: the next replay writes over it
        self._slot.add_(1)
        self._reading.cache.length += 1
        return logits

    def _step(self) -> Tensor:
        return self._reading.go_on(self._ids)[:, 0]  # [b, v]

    def _record(self) -> None:
        """A few steps to let the libraries choose their kernels, then the recording; all write to the same place."""
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                self._step()
        torch.cuda.current_stream().wait_stream(aside)
        self._recorded = torch.cuda.CUDAGraph()
        # Only this thread's calls belong to the recording: another request may be using the GPU.
        with torch.cuda.graph(self._recorded, capture_error_mode="thread_local"):
            self._logits = self._step()
