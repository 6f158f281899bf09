"""Rows of tokens as a language model reads them: padded, on the device, cut into parts and shared among processes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.train.batching import to_device
from dragoman.train.cross_entropy import linear_cross_entropy
from dragoman.train.doors import Kit
from dragoman.train.packing import Rows

__all__ = ["IGNORED", "Row", "TokenBatch", "filled", "stream_parts", "word_loss"]

IGNORED = -100
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Row:
    """One row before it is a tensor: the ids that are read, what is to be said at each place, whose document it is.

    An encoder-decoder has a second row, of targets, whose labels these then are.
    """

    name: str
    ids: Ids
    labels: Ids
    documents: Ids
    targets: Ids | None = None
    target_documents: Ids | None = None


@dataclass(frozen=True)
class TokenBatch:
    """Some rows as one pass through a language model reads them; padding is a document of its own, number -1."""

    names: tuple[str, ...]
    ids: Int[Tensor, "b s"]
    labels: Int[Tensor, "b t"]
    "what is to be predicted at each place of `ids`, or of `targets` where there are some; -100 where nothing is"
    segments: Int[Tensor, "b s"] | None
    "which document each token belongs to; None where every row is one document without padding"
    weight: float
    "labels that are learnt from"
    tokens: int
    targets: Int[Tensor, "b t"] | None = None
    "what the decoder of an encoder-decoder reads"
    target_segments: Int[Tensor, "b t"] | None = None


def stream_parts(
    rows: Rows, make: Callable[[int], Row], kit: Kit, start: int, fill: int
) -> Iterator[tuple[TokenBatch, ...]]:
    """The batches of each step from step `start` on: its rows, those of this process, in `accumulation` parts.

    `make` gives the row of a number; `fill` is the token that padding holds. The rows of a step do not depend on how
    many parts or processes there are.
    """
    how = kit.how
    count = max(1, min(how.accumulation, how.batch // kit.ranks))  # the same in every process: they wait for each other
    while True:
        numbers = np.arange(start * how.batch, (start + 1) * how.batch)
        parts = np.array_split(np.array_split(numbers, kit.ranks)[kit.rank], count)
        made = [[make(int(number)) for number in part] for part in parts]
        for row in (row for rows in made for row in rows):
            if len(row.ids) and int(row.ids.max()) >= kit.tokenizer.size:
                raise _damaged(row, kit.tokenizer.size)
        yield tuple(filled(part, fill, kit.device) for part in made)
        start += 1


def _damaged(row: Row, size: int) -> UserError:
    return UserError(
        f"row {row.name} holds token {int(row.ids.max())}, and the tokenizer has {size}: the corpus is damaged",
        "build it again: dragoman corpus SOURCE out=FOLDER",
    )


def filled(rows: Sequence[Row], fill: int, device: str) -> TokenBatch:
    """Rows as one batch, each padded on the right to the longest."""
    ids, segments = _square([row.ids for row in rows], fill), _square([row.documents for row in rows], -1)
    labels = _square([row.labels for row in rows], IGNORED)
    targets = target_segments = None
    if rows and rows[0].targets is not None:
        targets = to_device(_square([row.targets for row in rows if row.targets is not None], fill), device)
        both = [row.target_documents for row in rows if row.target_documents is not None]
        # Padding behind an answer belongs to it, which cannot see it: with a number of its own it would see no source.
        last = [int(numbers[-1]) for numbers in both]
        target_segments = to_device(_square(both, last), device)
    whole = targets is None and bool((segments == segments[:, :1]).all()) and bool((segments >= 0).all())
    return TokenBatch(
        names=tuple(row.name for row in rows),
        ids=to_device(ids, device),
        labels=to_device(labels, device),
        segments=None if whole else to_device(segments, device),
        weight=float((labels != IGNORED).sum()),
        tokens=sum(len(row.ids) + (0 if row.targets is None else len(row.targets)) for row in rows),
        targets=targets,
        target_segments=target_segments,
    )


def word_loss(
    net: Any,
    states: Float[Tensor, "b s w"],
    labels: Int[Tensor, "b s"],
    few: bool = False,
    z_loss: float = 0.0,
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """The sum of -log p of the labels, the full logits never held. With `few` labels only their states are refined."""
    flat, wanted = states.flatten(0, 1), labels.flatten()  # [b s, w], [b s]
    if few:
        chosen = (wanted != IGNORED).nonzero()[:, 0]  # [n]
        flat, wanted = flat[chosen], wanted[chosen]  # [n, w], [n]
    return linear_cross_entropy(
        net.refine(flat), net.head.weight, net.head.bias, wanted, smoothing=smoothing, z_loss=z_loss
    )


def _square(rows: Sequence[Ids], fill: int | Sequence[int]) -> Int[Tensor, "b s"]:
    made = np.empty((len(rows), max((len(row) for row in rows), default=1)), dtype=np.int64)
    made[:] = np.reshape(fill, (-1, 1))
    for place, row in enumerate(rows):
        made[place, : len(row)] = row
    return torch.from_numpy(made)
