"""Texts into labels: one of several by cross-entropy, or each for itself by binary cross-entropy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from dragoman.core.errors import UserError
from dragoman.core.types import Example
from dragoman.train.doors import Batch, Encoded, Kit, Loss

if TYPE_CHECKING:
    import torch

    from dragoman.nn.heads import Classifier

__all__ = ["Classify"]


@dataclass(frozen=True)
class Classify:
    """The labels are the net's own. Several labels may hold for one text where the net is multi-label."""

    needs: ClassVar[tuple[str, ...]] = ()

    class_weights: Literal["none", "balanced"] = "none"
    "balanced lets rare labels count more: rows / (labels * rows of the label)."
    label_smoothing: float = 0.0
    "The share of the target that is spread over all labels (Szegedy et al. 2015)."

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise UserError(f"label_smoothing cannot be {self.label_smoothing}", "it must be at least 0 and below 1")

    def encode(self, net: Classifier, examples: Sequence[Example], kit: Kit) -> Encoded:
        """Texts as token ids, labels as rows of 0 and 1. Raises UserError at an empty set and an unknown label."""
        import torch

        if not examples:
            raise UserError("there are no examples to learn from", "look at the data with: dragoman check")
        targets = torch.zeros(len(examples), len(net.labels))
        place = {label: column for column, label in enumerate(net.labels)}
        names = tuple(str(example.meta.get("id", f"row {row}")) for row, example in enumerate(examples))
        for row, example in enumerate(examples):
            for label in example.answers:
                if label not in place:
                    raise UserError(
                        f"example {names[row]} has the label '{label}', which the model does not have",
                        f"it has {', '.join(net.labels)}; set scope.labels to all labels of the data",
                    )
                targets[row, place[label]] = 1.0
            if not net.multi_label and len(set(example.answers)) != 1:
                raise UserError(
                    f"example {names[row]} has {len(set(example.answers))} labels where exactly one must hold",
                    "say scope.multi_label=true where several may hold",
                )
        texts = [example.text for example in examples]
        ids = kit.tokenizer.encode(texts, kit.how.max_length)
        full = [row for row, one in enumerate(ids) if len(one) >= kit.how.max_length]
        cut = sum(length > kit.how.max_length for length in kit.tokenizer.count([texts[row] for row in full]))
        return Encoded(names, ids, targets, self._weights(targets), cut)

    def _weights(self, targets: torch.Tensor) -> torch.Tensor:
        """How much each row counts: 1, or less the more rows share its labels (their mean, where it has several)."""
        import torch

        if self.class_weights == "none":
            return torch.ones(len(targets))
        rows = targets.sum(0).clamp(min=1.0)  # [labels]
        counts = len(targets) / (rows * int((targets.sum(0) > 0).sum()))  # [labels]
        held = targets.sum(1)  # [rows]
        return torch.where(held > 0, (targets @ counts) / held.clamp(min=1.0), 1.0)

    def stream(self, net: Classifier, encoded: Encoded, kit: Kit, start: int) -> Iterator[tuple[Batch, ...]]:
        """The batches of each step. A frozen encoder reads all texts once, here, and its answers are kept."""
        import numpy as np

        from dragoman.train.batching import parts, stream_rows
        from dragoman.train.states import first_states

        first = first_states(net.encoder, encoded, kit) if kit.encoder_frozen else None
        lengths = np.array([len(ids) for ids in encoded.ids] if first is None else [0] * len(encoded.ids))
        for rows in stream_rows(lengths, kit.how.batch, kit.how.seed, start):
            yield parts(encoded, rows, kit, first)

    def loss(self, net: Classifier, batch: Batch, kit: Kit) -> Loss:
        """Each row's loss times its weight, summed. With several labels a row's loss is the mean over the labels."""
        from torch.nn import functional

        logits = net(batch.ids, batch.mask) if batch.first is None else net.head(batch.first)  # [b, labels]
        logits = logits.float()
        if net.multi_label:
            smooth = batch.targets * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
            rows = functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none").mean(1)  # [b]
        else:
            rows = functional.cross_entropy(
                logits, batch.targets, reduction="none", label_smoothing=self.label_smoothing
            )  # [b]
        return Loss((rows * batch.weights).sum())
