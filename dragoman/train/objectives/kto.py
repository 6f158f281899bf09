"""Thumbs up and down, without pairs: liked answers become likelier than the model has moved, others unlikelier.

Kahneman-Tversky optimisation (Ethayarajh et al. 2024, 2402.01306).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dragoman.core.errors import UserError
from dragoman.train.doors import Kit, Loss

if TYPE_CHECKING:
    from dragoman.nn.decoder import Decoder
    from dragoman.train.feedback import Feedback, LikedBatch
    from dragoman.train.fitting import Lesson

__all__ = ["Kto"]


@dataclass(frozen=True)
class Kto:
    """With d = log p - log p_ref of an answer: 1 - sigmoid(beta (d - z)) where it was liked, else
    1 - sigmoid(beta (z - d)).

    z is how much likelier answers to other prompts have become, at least 0, and carries no gradient: the paper's
    estimate of the KL, over the whole step. Before the first step every loss is half its weight.
    """

    needs: ClassVar[tuple[str, ...]] = ("reference", "preferences")
    still: ClassVar[bool] = True
    thumbs: ClassVar[bool] = True  # a row with one answer teaches too
    epochs: ClassVar[float] = 1.0
    gentle: ClassVar[float] = 0.1

    beta: float = 0.1
    "How near the model is held to what it was: higher holds it nearer."
    liked: float = 0.0
    "What a liked answer counts; 0 makes both kinds count alike where one is rarer."
    disliked: float = 0.0
    "What the others count; 0 as with `liked`."

    def __post_init__(self) -> None:
        if not 0 < self.beta < float("inf"):
            raise UserError(f"beta cannot be {self.beta}", "it must be above 0: objective.beta=0.1")
        for name in ("liked", "disliked"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UserError(f"{name} cannot be {getattr(self, name)}", f"it must be 0 or more: objective.{name}=1")

    def encode(self, net: Decoder, data: Lesson, kit: Kit) -> Feedback:
        """The answers in tokens, with the log-probs of the net as it is now. Raises UserError where there are too
        few."""
        from dragoman.train.feedback import feedback_of

        return feedback_of(net, data, kit)

    def stream(self, net: Decoder, feedback: Feedback, kit: Kit, start: int) -> Iterator[tuple[LikedBatch, ...]]:
        """The batches of each step."""
        from dragoman.train.feedback import stream_feedback

        return stream_feedback(net, feedback, kit, start)

    def loss(self, net: Decoder, batch: LikedBatch, kit: Kit) -> Loss:
        """The sum over the answers."""
        import torch

        from dragoman.train.word_logs import row_sums

        rows = batch.rows
        gained = row_sums(net, rows.ids, rows.labels, rows.segments) - batch.reference  # [n]
        side = torch.where(batch.good, 1.0, -1.0)  # [n]
        apart = side * self.beta * (gained - batch.moved)  # [n]
        weights = torch.where(batch.good, self.liked or batch.even[0], self.disliked or batch.even[1])  # [n]
        total = (weights * (1 - apart.sigmoid())).sum()
        apart = apart.detach()
        told = {
            "margin": apart.sum(),
            "accuracy": (apart > 0).float().sum(),
            "moved": batch.moved * len(side),
        }
        return Loss(total, told)
