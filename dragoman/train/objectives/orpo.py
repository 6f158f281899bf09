"""Preferences and answers learnt at once, without a reference: odds ratio preference optimisation.

Hong, Lee and Thorne 2024 (2403.07691).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dragoman.core.errors import UserError
from dragoman.train.doors import Kit, Loss

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dragoman.nn.decoder import Decoder
    from dragoman.train.choices import Choices, PairBatch
    from dragoman.train.fitting import Lesson

__all__ = ["Orpo"]


@dataclass(frozen=True)
class Orpo:
    """-log p a token of the chosen answer, and `weight` times -log sigmoid(log odds(chosen) - log odds(rejected)).

    The odds are p / (1 - p) of an answer's mean log-prob a token. The chosen answer is learnt as by `sft`, so a model
    that has learnt nothing yet may begin here, and no second pass of a reference is needed.
    """

    needs: ClassVar[tuple[str, ...]] = ("preferences",)
    still: ClassVar[bool] = True
    epochs: ClassVar[float] = 3.0
    gentle: ClassVar[float] = 0.5

    weight: float = 0.1
    "How much the odds count beside the answer (lambda, 0.1 in the paper for models up to 7B)."

    def __post_init__(self) -> None:
        if not 0 <= self.weight < float("inf"):
            raise UserError(f"weight cannot be {self.weight}", "it must be 0 or more: objective.weight=0.1")

    def encode(self, net: Decoder, data: Lesson, kit: Kit) -> Choices:
        """The pairs in tokens. Raises UserError where there is none."""
        from dragoman.train.choices import choices_of

        return choices_of(net, data, kit, with_reference=False)

    def stream(self, net: Decoder, choices: Choices, kit: Kit, start: int) -> Iterator[tuple[PairBatch, ...]]:
        """The batches of each step."""
        from dragoman.train.choices import stream_choices

        return stream_choices(choices, kit, start)

    def loss(self, net: Decoder, batch: PairBatch, kit: Kit) -> Loss:
        """The sum over the pairs."""
        from torch.nn.functional import logsigmoid

        from dragoman.train.word_logs import row_sums

        rows = batch.rows
        lengths = (rows.labels != -100).sum(1)  # [2n]
        means = row_sums(net, rows.ids, rows.labels, rows.segments) / lengths  # [2n]
        chosen, rejected = means.chunk(2)  # [n] each
        ratio = _log_odds(chosen) - _log_odds(rejected)  # [n]
        total = -chosen.sum() - self.weight * logsigmoid(ratio).sum()
        told = {
            "margin": ratio.detach().sum(),
            "accuracy": (ratio.detach() > 0).float().sum(),
            "chosen": chosen.detach().sum(),
            "rejected": rejected.detach().sum(),
        }
        return Loss(total, told)


def _log_odds(logs: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """log(p / (1 - p)) of log p; where p is 1 but for rounding, as of 1 - 6e-8."""
    import torch

    near = logs.clamp(max=-6e-8)
    return near - torch.log(-torch.expm1(near))
