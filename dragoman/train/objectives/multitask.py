"""Many tasks at once: the task of each row of a step is drawn by how many examples the tasks have (T5; FLAN, 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from dragoman.core.errors import UserError
from dragoman.train.doors import Kit, Loss
from dragoman.train.objectives._writing import Cut, Of, check_kind, inner

if TYPE_CHECKING:
    from dragoman.train.fitting import Lesson
    from dragoman.train.mixing import Mixed
    from dragoman.train.objectives.seq2seq import Seq2seq
    from dragoman.train.objectives.sft import Sft
    from dragoman.train.token_batches import TokenBatch

__all__ = ["Multitask"]


@dataclass(frozen=True)
class Multitask:
    """sft or seq2seq on a mixture: the task of an example stands in its meta, as `task`.

    A row holds examples of one task. Each task goes through its own rows in its own order, however often the others are
    drawn meanwhile; an epoch is so many rows as hold every task's examples once, up to the cap.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    of: Of = "sft"
    "What is learnt on each task: sft for a decoder, seq2seq for an encoder-decoder."
    cap: int = 3000
    "Of a task with more examples no more are counted, so that it does not drown the others; 3000 in FLAN."
    temperature: float = 1.0
    "1 mixes tasks in proportion to their examples, more evens them out, inf makes them equal."
    turns: Literal["every", "last"] = "every"
    "Which answers of a dialogue sft learns: every one of the assistant's, or the last."
    pack: bool = True
    "Put several examples of a task into a row of max_length tokens."
    cut: Cut = ""
    "What happens to an example longer than max_length: left, right or drop; empty takes that of sft or seq2seq."
    neftune: float = 0.0
    "Noise on the vectors of words (NEFTune, Jain et al. 2023); 5 is usual, 0 is none."
    replay: float = 0.0
    "For sft: the share of a step that is text the model knew before."
    smoothing: float = 0.0
    "For seq2seq: the share of each target that is spread over all words."

    def __post_init__(self) -> None:
        from dragoman.train.proportions import mixed_rates

        mixed_rates([1], self.cap, self.temperature)
        self._inner()

    @property
    def kind(self) -> str:
        """The kind of model that learns so."""
        return self._inner().kind

    def _inner(self) -> Sft | Seq2seq:
        own = {name: getattr(self, name) for name in ("turns", "pack", "neftune", "replay", "smoothing")}
        return inner(self.of, self.cut, own)

    def encode(self, net: Any, data: Lesson, kit: Kit) -> Mixed:
        """The rows of each task. Raises UserError, with the task's name, where one has nothing to learn."""
        from dataclasses import replace

        from dragoman.train.fitting import Lesson
        from dragoman.train.mixing import mix
        from dragoman.train.objectives.clm import Clm

        objective = self._inner()
        check_kind(objective, net)
        tasks: dict[str, list[Any]] = {}
        for example in data.examples:
            tasks.setdefault(str(example.meta.get("task") or ""), []).append(example)
        parts = {}
        for name, examples in tasks.items():
            try:
                parts[name] = objective.encode(net, Lesson(examples), kit)
            except UserError as error:
                raise UserError(f"task '{name}': {error.problem}" if name else error.problem, error.hint) from None
        if not parts:
            raise UserError("there is nothing to learn from", "look at the data with: dragoman check")
        mixed = mix(parts, self.cap, self.temperature, kit.how.seed)
        if data.replay is None or not self.replay:
            return mixed
        return replace(mixed, replay=Clm().encode(net, data.replay, kit), share=self.replay)

    def stream(self, net: Any, mixed: Mixed, kit: Kit, start: int) -> Iterator[tuple[TokenBatch, ...]]:
        """The batches of each step."""
        from dragoman.train.fitting import stream_fitted

        return stream_fitted(mixed, kit, start)

    def loss(self, net: Any, batch: TokenBatch, kit: Kit) -> Loss:
        """The sum of -log p over the tokens that are learnt."""
        objective: Any = self._inner()
        found: Loss = objective.loss(net, batch, kit)
        return found
