"""Says so where the sources of an answer contradict each other, and quotes both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dragoman.app.contradiction import Contradiction, contradictions
from dragoman.app.passages import Citation, said
from dragoman.app.quoting import Quotation
from dragoman.app.turn import Turn
from dragoman.app.wording import content, same_word, words
from dragoman.core.doors import LM
from dragoman.core.sentences import Span, split_sentences

__all__ = ["Contradict"]


@dataclass(frozen=True)
class Contradict:
    """Adds the two sentences to the answer where they differ in one number and bear on the question."""

    most: int = 2
    "The most contradictions an answer tells of."

    split: Callable[[str], Sequence[Span]] = split_sentences
    "Where the sentences of a text stand."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn, with what its sources disagree on behind its answer."""
        return [self._compared(turn) if turn.answer.text else turn for turn in turns]

    def _compared(self, turn: Turn) -> Turn:
        found = [one for one in contradictions(turn.passages, self.split) if _bears(one, turn)][: self.most]
        if not found:
            return turn
        lines = [f"The sources differ: {_quoted(one.first)}, but {_quoted(one.second)}." for one in found]
        places = [side for one in found for side in (one.first, one.second)]
        citations = (*turn.citations, *(Citation(one.number, one.start, one.end) for one in places))
        return replace(
            turn,
            answer=replace(turn.answer, text="\n".join((turn.answer.text, *lines))),
            citations=tuple(dict.fromkeys(citations)),
            trace=(*turn.trace, *(f"contradict: {one.values[0]} against {one.values[1]}" for one in found)),
        )


def _quoted(place: Quotation) -> str:
    return f'"{said(place.text).rstrip(".")}" [{place.number}]'


def _bears(one: Contradiction, turn: Turn) -> bool:
    """Whether it is about what was asked: the answer cites it, or it holds half of the question's content words."""
    if any(
        cited.number == side.number and cited.start < side.end and cited.end > side.start
        for cited in turn.citations
        for side in (one.first, one.second)
    ):
        return True
    asked = [word.plain for word in content(words(turn.sought or turn.question))]
    own = [word.plain for word in words(one.first.text)]
    return bool(asked) and 2 * sum(any(same_word(word, other) for other in own) for word in asked) >= len(asked)
