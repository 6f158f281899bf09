"""Preferences without a reward model: the chosen answer becomes likelier than the rejected one, near the old model.

Direct preference optimisation (Rafailov et al. 2023, 2305.18290) and IPO (Azar et al. 2023, 2310.12036).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from dragoman.core.errors import UserError
from dragoman.train.doors import Kit, Loss

if TYPE_CHECKING:
    from torch import Tensor

    from dragoman.nn.decoder import Decoder
    from dragoman.train.choices import Choices, PairBatch
    from dragoman.train.fitting import Lesson

__all__ = ["Dpo"]


@dataclass(frozen=True)
class Dpo:
    """With d = (log p - log p_ref)(chosen) - (log p - log p_ref)(rejected): -log sigmoid(beta d), summed log-probs.

    `ipo` wants d, a mean over the tokens of each answer as its authors have it, to be 1 / (2 beta). Before the first
    step d is 0: the loss of dpo is ln 2. Accuracy alone can rise while the chosen answer becomes unlikelier too, so
    `chosen` and `rejected`, what each gained, are told beside it.
    """

    needs: ClassVar[tuple[str, ...]] = ("reference", "preferences")
    still: ClassVar[bool] = True
    epochs: ClassVar[float] = 1.0
    gentle: ClassVar[float] = 0.1

    kind: Literal["dpo", "ipo"] = "dpo"
    "dpo, or ipo, which does not go on pushing pairs apart that are told apart already."
    beta: float = 0.1
    "How near the model is held to what it was: higher holds it nearer."
    smoothing: float = 0.0
    "The share of pairs that are thought to be the wrong way round (conservative DPO, Mitchell 2023)."
    sft: float = 0.0
    "How much -log p of each token of the chosen answer counts beside it (RPO, Pang et al. 2024, 2404.19733)."

    def __post_init__(self) -> None:
        if not 0 < self.beta < float("inf"):
            raise UserError(f"beta cannot be {self.beta}", "it must be above 0: objective.beta=0.1")
        if not 0 <= self.smoothing < 0.5:
            raise UserError(f"smoothing cannot be {self.smoothing}", "it is a share below 0.5: objective.smoothing=0.1")
        if not 0 <= self.sft < float("inf"):
            raise UserError(f"sft cannot be {self.sft}", "it must be 0 or more: objective.sft=1")

    def encode(self, net: Decoder, data: Lesson, kit: Kit) -> Choices:
        """The pairs in tokens, with the log-probs of the net as it is now. Raises UserError where there is none."""
        from dragoman.train.choices import choices_of

        return choices_of(net, data, kit, with_reference=True)

    def stream(self, net: Decoder, choices: Choices, kit: Kit, start: int) -> Iterator[tuple[PairBatch, ...]]:
        """The batches of each step."""
        from dragoman.train.choices import stream_choices

        return stream_choices(choices, kit, start)

    def loss(self, net: Decoder, batch: PairBatch, kit: Kit) -> Loss:
        """The sum over the pairs."""
        from dragoman.train.word_logs import row_sums

        rows = batch.rows
        own = row_sums(net, rows.ids, rows.labels, rows.segments)  # [2n]
        lengths = (rows.labels != -100).sum(1)  # [2n]
        gained = own - batch.reference  # [2n]
        if self.kind == "ipo":
            gained = gained / lengths
        chosen, rejected = gained.chunk(2)  # [n] each
        total = self._apart(chosen - rejected).sum()
        if self.sft:
            total = total - self.sft * (own / lengths).chunk(2)[0].sum()
        margin = (chosen - rejected).detach()  # [n]
        told = {
            "margin": self.beta * margin.sum(),
            "accuracy": (margin > 0).float().sum(),
            "chosen": self.beta * chosen.detach().sum(),
            "rejected": self.beta * rejected.detach().sum(),
        }
        return Loss(total, told)

    def _apart(self, margins: Tensor) -> Tensor:
        """The loss of each margin d, [n]."""
        from torch.nn.functional import logsigmoid

        if self.kind == "ipo":
            return (margins - 1 / (2 * self.beta)).square()
        scaled = self.beta * margins
        return -(1 - self.smoothing) * logsigmoid(scaled) - self.smoothing * logsigmoid(-scaled)
