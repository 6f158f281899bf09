"""A student learns what a teacher wrote: sequence-level distillation (Kim and Rush 2016, 1606.07947)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.train.doors import Kit, Loss
from dragoman.train.objectives._writing import Cut, Of, check_kind, inner

if TYPE_CHECKING:
    from dragoman.train.fitting import Fitted, Lesson
    from dragoman.train.objectives.seq2seq import Seq2seq
    from dragoman.train.objectives.sft import Sft
    from dragoman.train.token_batches import TokenBatch

__all__ = ["DistillText"]


@dataclass(frozen=True)
class DistillText:
    """sft or seq2seq whose examples hold the teacher's answers in the place of people's: whoever trains asks the
    teacher first, as these settings say.

    Of a dialogue the last answer alone is learnt: those before it are not the teacher's.
    """

    needs: ClassVar[tuple[str, ...]] = ("teacher",)

    of: Of = "sft"
    "What is learnt: sft for a decoder, seq2seq for an encoder-decoder."
    teacher: str = ""
    "The model that answers: a folder, hf:owner/name or openai:http://host/v1#model."
    samples: int = 1
    "How many answers the teacher gives to each question; more than one need a temperature, or so many beams."
    keep: Literal["best", "all"] = "best"
    """Which of several answers is learnt: the one nearest to the example's own answer where it has one, else the one
    that the teacher finds most probable a token; or all."""
    temperature: float = 0.0
    "How the teacher draws: 0 takes its most probable token, 1 its own probabilities."
    beams: int = 1
    "Beam search of the teacher over so many beams; 5 in Kim and Rush 2016."
    max_tokens: int = 256
    "The most tokens of an answer; one that did not end by then is left out."
    pack: bool = True
    "Put several examples into a row of max_length tokens."
    cut: Cut = ""
    "What happens to an example longer than max_length: left, right or drop; empty takes that of sft or seq2seq."
    neftune: float = 0.0
    "Noise on the vectors of words (NEFTune, Jain et al. 2023); 5 is usual, 0 is none."
    replay: float = 0.0
    "For sft: the share of a step that is text the model knew before."
    smoothing: float = 0.0
    "For seq2seq: the share of each target that is spread over all words."

    def __post_init__(self) -> None:
        if self.samples > 1 and not self.temperature and self.beams < self.samples:
            raise UserError(
                f"{self.samples} greedy answers of a teacher are the same answer",
                f"say objective.temperature=1, or objective.beams={self.samples}",
            )
        _ = self.sampling, self._inner()

    @property
    def kind(self) -> str:
        """The kind of model that learns so."""
        return self._inner().kind

    @property
    def sampling(self) -> Sampling:
        """How the teacher is asked."""
        return Sampling(temperature=self.temperature, max_tokens=self.max_tokens, n=self.samples, beams=self.beams)

    def _inner(self) -> Sft | Seq2seq:
        own: dict[str, Any] = {name: getattr(self, name) for name in ("pack", "neftune", "replay", "smoothing")}
        return inner(self.of, self.cut, own | ({"turns": "last"} if self.of == "sft" else {}))

    def encode(self, net: Any, data: Lesson, kit: Kit) -> Fitted:
        """The examples in rows, their answers being the teacher's. Raises UserError where nothing is left to learn."""
        objective: Any = self._inner()
        check_kind(objective, net)
        found: Fitted = objective.encode(net, data, kit)
        return found

    def stream(self, net: Any, fitted: Fitted, kit: Kit, start: int) -> Iterator[tuple[TokenBatch, ...]]:
        """The batches of each step."""
        from dragoman.train.fitting import stream_fitted

        return stream_fitted(fitted, kit, start)

    def loss(self, net: Any, batch: TokenBatch, kit: Kit) -> Loss:
        """The sum of -log p over the tokens of the teacher's answers."""
        objective: Any = self._inner()
        found: Loss = objective.loss(net, batch, kit)
        return found
