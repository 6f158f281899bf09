"""Lets the language model tag the words of a text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.core.sampling import Sampling
from dragoman.core.types import Answer

__all__ = ["Tag"]


@dataclass(frozen=True)
class Tag:
    """One tag for each word, words being what stands between single spaces; joined by a space they are the answer.

    A tagger writes nothing else. What another model writes is made to fit: a tag that is none of the labels, and one
    that is missing, is `outside`; those behind the last word are left out.
    """

    labels: tuple[str, ...] = ()
    "The tags to choose among; none lets all pass."

    outside: str = "O"
    "The tag of a word that belongs to no entity."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with its words tagged."""
        longest = max((len(turn.question.split(" ")) for turn in turns), default=1)
        how = Sampling(max_tokens=16 * longest)  # a tagger does not ask; one that writes needs some tokens a tag
        written = lm.generate([turn.prompt for turn in turns], how)
        return [
            replace(turn, answer=self._answer(turn, one.text), trace=(*turn.trace, "tag"))
            for turn, one in zip(turns, written, strict=True)
        ]

    def _answer(self, turn: Turn, text: str) -> Answer:
        words = len(turn.question.split(" "))
        said = [tag if not self.labels or tag in self.labels else self.outside for tag in text.split()]
        tags = (*said[:words], *[self.outside] * (words - len(said)))
        return Answer(" ".join(tags), tags)
