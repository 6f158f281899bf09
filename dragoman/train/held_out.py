"""How well a language model predicts texts and answers it never learnt from: nats a label, and bits a byte of text."""

import math
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

import torch

from dragoman.train.choices import Choices
from dragoman.train.doors import Kit, Objective
from dragoman.train.feedback import Feedback
from dragoman.train.fitting import Fitted
from dragoman.train.packing import Rows, Texts
from dragoman.train.token_batches import filled

__all__ = ["HeldOut", "hold_lesson", "hold_out", "hold_preferences"]

TOGETHER = 8  # pairs that are read in one pass
GROUPS = 30
"fewer would give a wide interval for want of groups"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What was measured. `loss` is the mean over all labels, in nats."""

    loss: float
    labels: int
    bits_per_byte: float | None
    "of the text alone; None where only a part of the tokens is predicted"
    groups: tuple[float, ...]
    "the mean loss of each group of rows that stand next to each other, 30 groups at least where there are so many rows"


@torch.no_grad()
def hold_out(net: Any, objective: Objective, texts: Texts, kit: Kit) -> HeldOut:
    """Measure a net on all of `texts`, each token once, in rows of max_length that follow each other.

    The net must be in `eval`. A decoder is measured on the tokens of the text alone, not on where texts end, so that
    bits for a byte compare models whatever their tokens are: 8.0 for one that knows nothing. Masks and spans are the
    same at every call.
    """
    most = -(-kit.how.batch // kit.how.accumulation)  # what one pass of the training holds
    how = replace(kit.how, seed=0, accumulation=1)
    kit = replace(kit, how=how, rank=0, ranks=1)
    if hasattr(objective, "z_loss"):  # it keeps logits small, and is no part of what is predicted
        objective = replace(objective, z_loss=0.0)  # type: ignore[type-var]
    rows = objective.encode(net, texts, kit)
    assert isinstance(rows, Rows)
    rows = replace(rows, ordered=True)
    whole = net.arch.kind == "decoder"
    if whole:
        rows = replace(rows, streams=tuple(replace(stream, end=-100) for stream in rows.streams))
    total, labels, found, count = 0.0, 0.0, list[float](), rows.count
    size = max(1, min(most, count // GROUPS))
    whole_groups = objective.stream(net, rows, replace(kit, how=replace(how, batch=size)), 0)
    rest = objective.stream(net, rows, replace(kit, how=replace(how, batch=1)), count - count % size)
    for (batch,) in chain(islice(whole_groups, count // size), islice(rest, count % size)):
        nats = float(objective.loss(net, batch, kit).total)
        total, labels = total + nats, labels + batch.weight
        found.append(nats / max(batch.weight, 1.0))
    bits = total / (math.log(2) * texts.bytes) if whole and texts.bytes else None
    return HeldOut(total / max(labels, 1.0), int(labels), bits, tuple(found))


@torch.no_grad()
def hold_lesson(net: Any, objective: Any, fitted: Fitted, kit: Kit, most: int = 0) -> HeldOut:
    """Measure a net on examples it never learnt from: nats for each token of their answers, a group for each row.

    The net must be in `eval`. `most` bounds how many rows are read; 0 reads all.
    """
    total, labels, groups = 0.0, 0.0, list[float]()
    for number in range(min(most or len(fitted.rows), len(fitted.rows))):
        batch = filled([fitted.row(number)], kit.tokenizer.pad_id, kit.device)
        nats = float(objective.loss(net, batch, kit).total)
        total, labels = total + nats, labels + batch.weight
        groups.append(nats / max(batch.weight, 1.0))
    return HeldOut(total / max(labels, 1.0), int(labels), None, tuple(groups))


@torch.no_grad()
def hold_preferences(
    net: Any, objective: Objective, held: Choices | Feedback, kit: Kit, most: int = 0
) -> dict[str, float]:
    """The mean over preferences that it never learnt from of the loss and of all that the objective tells beside it.

    The net must be in `eval`. `most` bounds how many are read; 0 reads all.
    """
    places = range(min(most or len(held), len(held)))
    moved = held.moved(net, places, kit) if isinstance(held, Feedback) else torch.zeros(())
    sums: dict[str, float] = {}
    for first in range(0, len(places), TOGETHER):
        some = places[first : first + TOGETHER]
        batch: Any = held.pair_batch(some, kit) if isinstance(held, Choices) else held.liked_batch(some, moved, kit)
        found = objective.loss(net, batch, kit)
        for name, figure in {"loss": found.total, **found.told}.items():
            sums[name] = sums.get(name, 0.0) + float(figure)
    return {name: total / len(places) for name, total in sums.items()}
