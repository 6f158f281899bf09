"""Answers with the sentences of the documents that fit the question best, word for word: no model writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dragoman.app.passages import Citation, said
from dragoman.app.quoting import quotations
from dragoman.app.refusal import refused
from dragoman.app.short_answer import shortest_answer
from dragoman.app.turn import Turn
from dragoman.core.doors import LM, Embedder
from dragoman.core.sentences import Span, split_sentences
from dragoman.core.types import Answer

__all__ = ["Quote"]


@dataclass(frozen=True)
class Quote:
    """The best sentences, each with the number of its passage. On XQuAD (English) with the right paragraph given, the
    first one holds the answer for 83 questions of 100, and one of the first two for 94."""

    most: int = 1
    "The most sentences of an answer."

    short: bool = False
    "Whether the answer is the date, number, name or phrase alone that an English question asks for, by rules."

    embedder: Embedder | None = None
    "Compares meanings besides words; none compares words alone."

    split: Callable[[str], Sequence[Span]] = split_sentences
    "Where the sentences of a text stand."

    least: float = 0.0
    "Sentences that fit worse than this are not quoted; one without a word of the question and no meaning fits 0."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with its quoted answer and where it stands; refused where no sentence fits."""
        return [self._quoted(turn) for turn in turns]

    def _quoted(self, turn: Turn) -> Turn:
        # What was searched for may be the question behind the one before it, which has been answered.
        asked = turn.question if turn.sought.endswith(turn.question) else turn.sought or turn.question
        found = [one for one in quotations(asked, turn.passages, self.embedder, self.split) if one.score > self.least]
        if not found:
            return refused(turn, "quote: no sentence fits")
        brief = shortest_answer(asked, found) if self.short else None
        if brief:
            quotation, (start, end) = brief
            chunk = next(one.chunk for one in turn.passages if one.number == quotation.number)
            places, text = [Citation(quotation.number, start, end)], chunk.text[start:end]
        else:
            best = sorted(found[: self.most], key=lambda one: (one.number, one.start))
            places = [Citation(one.number, one.start, one.end) for one in best]
            text = " ".join(f"{' '.join(said(one.text).split())} [{one.number}]" for one in best)
        count = float(len(places))
        scores = {
            "sentences": count,
            "supported_sentences": count,
            "citations": count,
            "right_citations": count,
        }
        answer = Answer(text, scores=scores, finish="stop")
        return replace(turn, answer=answer, citations=tuple(places), trace=(*turn.trace, "quote"))
