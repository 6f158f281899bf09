"""Lets the language model answer a question with words of its context."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.core.sampling import Sampling
from dragoman.core.types import Answer

__all__ = ["Extract"]


@dataclass(frozen=True)
class Extract:
    """The question stands in the last paragraph, its context before it; the answer is what the model cuts out.

    Where the answer stands in the context word for word, the context is kept as its source.
    """

    max_tokens: int = 64
    "The most tokens of an answer, for a model that writes; an extractor has its own bound."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with its answer."""
        written = lm.generate([turn.prompt for turn in turns], Sampling(max_tokens=self.max_tokens))
        found = []
        for turn, one in zip(turns, written, strict=True):
            context = turn.question.rpartition("\n\n")[0]
            sources = (*turn.sources, context) if one.text and one.text in context else turn.sources
            found.append(
                replace(turn, answer=Answer(one.text, finish="stop"), sources=sources, trace=(*turn.trace, "extract"))
            )
        return found
