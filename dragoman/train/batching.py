"""Which examples stand in which batch: a pure function of seed and step, so a killed run goes on without replaying any.

Texts of like length go together, so next to nothing is padding; still every epoch has another order. The batch of a
step does not depend on how many parts it is cut into.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dragoman.nn.padding import pad
from dragoman.train.doors import Batch, Encoded, Kit

__all__ = [
    "POOL",
    "Orders",
    "batches_of_epoch",
    "chained",
    "own_parts",
    "parts",
    "steps_an_epoch",
    "stream_rows",
    "to_device",
]

POOL = 50
"How many batches are sorted by length together."


def steps_an_epoch(examples: int, batch: int) -> int:
    """How many steps see every example once; the last batch may be smaller."""
    return -(-examples // batch)


def batches_of_epoch(lengths: NDArray[np.int64], batch: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """The row numbers of each batch of an epoch, every row once.

    The rows are shuffled, sorted by length inside pools of 50 batches, cut, and the batches shuffled again.
    """
    dice = np.random.default_rng([seed, epoch])
    order = dice.permutation(len(lengths))
    found: list[NDArray[np.int64]] = []
    for start in range(0, len(order), batch * POOL):
        pool = order[start : start + batch * POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        found += [pool[first : first + batch] for first in range(0, len(pool), batch)]
    return [found[place] for place in dice.permutation(len(found))]


@dataclass
class Orders:
    """The batches of the newest epoch, remembered: every step asks for one of them."""

    held: dict[tuple[int, int], list[Any]] = field(default_factory=dict, repr=False)

    def batch(self, step: int, size: int, steps: int, make: Callable[[int], list[Any]]) -> Any:
        """The batch of a step, of epochs of `steps` steps of `size`; `make` gives all batches of an epoch."""
        epoch, place = divmod(step, steps)
        if (epoch, size) not in self.held:
            self.held.clear()
            self.held[epoch, size] = make(epoch)
        return self.held[epoch, size][place]


def own_parts(places: Sequence[int], kit: Kit) -> list[list[int]]:
    """What this process reads of a step's places, in `accumulation` parts; a part that holds nothing is left out."""
    count = max(1, min(kit.how.accumulation, kit.how.batch // kit.ranks))
    own = np.array_split(np.array(places), kit.ranks)[kit.rank]
    return [[int(one) for one in part] for part in np.array_split(own, count) if len(part)]


def stream_rows(lengths: NDArray[np.int64], batch: int, seed: int, start: int) -> Iterator[NDArray[np.int64]]:
    """The row numbers of each step's batch from step `start` on, epoch after epoch without end."""
    epoch, position = divmod(start, steps_an_epoch(len(lengths), batch))
    while True:
        yield from batches_of_epoch(lengths, batch, seed, epoch)[position:]
        epoch, position = epoch + 1, 0


def parts(encoded: Encoded, rows: NDArray[np.int64], kit: Kit, first: Tensor | None = None) -> tuple[Batch, ...]:
    """The rows of one step as `accumulation` batches, each padded to its own longest text, on the device.

    `first` holds the state of the first token of every example, [n, w], where the encoder is frozen.
    """
    pieces = np.array_split(rows, min(kit.how.accumulation, len(rows)))
    return tuple(_batch(encoded, [int(row) for row in piece], kit, first) for piece in pieces)


def _batch(encoded: Encoded, rows: Sequence[int], kit: Kit, first: Tensor | None) -> Batch:
    picked = torch.tensor(rows)
    weights = encoded.weights[picked]
    tokens = sum(len(encoded.ids[row]) for row in rows)
    ids, mask = torch.empty(0, dtype=torch.long), None
    if first is None:
        ids, mask = pad([encoded.ids[row] for row in rows], kit.tokenizer.pad_id)
    return Batch(
        names=tuple(encoded.names[row] for row in rows),
        ids=to_device(ids, kit.device),
        mask=None if mask is None else to_device(mask, kit.device),
        targets=to_device(encoded.targets[picked], kit.device),
        weights=to_device(weights, kit.device),
        weight=float(weights.sum()),
        tokens=tokens,
        first=None if first is None else first[picked.to(first.device)],
    )


def to_device(tensor: Tensor, device: str) -> Tensor:
    """The tensor where the net is; on a GPU the copy runs beside the computation."""
    if device == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def chained(chain: str, names: Sequence[str]) -> str:
    """The hash chain of the order, one link on: equal only where all examples so far came in the same order."""
    return hashlib.sha256("\0".join([chain, *names]).encode()).hexdigest()
