"""Holds an answer to its passages, sentence by sentence: what none of them says is left out, or said to be so."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dragoman.app.citing import cited
from dragoman.app.grounding import ENOUGH, Evidence, evidence_of
from dragoman.app.grounding import Ground as Read
from dragoman.app.passages import BRACKETED, Citation
from dragoman.app.refusal import refused
from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.core.sentences import Span, split_sentences

__all__ = ["Ground", "statements"]

LEADING = re.compile(rf"(?:\s*{BRACKETED.pattern})+[.,;:]?")
RUN = re.compile(rf"(?:\s*{BRACKETED.pattern})+")


def statements(text: str, split: Callable[[str], Sequence[Span]] = split_sentences) -> list[Span]:
    """The sentences of an answer; citations that stand behind a full stop belong to the sentence before them."""
    found: list[Span] = []
    for start, end in split(text):
        marks = LEADING.match(text, start, end)
        if marks and found:
            found[-1] = (found[-1][0], marks.end())
            start = marks.end() + len(text[marks.end() : end]) - len(text[marks.end() : end].lstrip())
        if start < end:
            found.append((start, end))
    return found


@dataclass(frozen=True)
class Ground:
    """Every sentence must stand on one passage: most of its words, all its numbers and names, no denial of its own.

    A citation whose passage does not say it is removed; a sentence that another passage supports is given that one.
    What is compared are words: a true sentence in other words may be left out.
    """

    enough: float = ENOUGH
    "The share of a sentence's content words that must stand together in a passage."

    drop: bool = True
    "Whether sentences that no passage supports are left out of the answer; else they are only counted."

    split: Callable[[str], Sequence[Span]] = split_sentences
    "Where the sentences of a text stand."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with its grounded answer; one of which nothing is left is refused."""
        return [self._grounded(turn) if turn.answer.text and turn.passages else turn for turn in turns]

    def _grounded(self, turn: Turn) -> Turn:
        grounds = [Read.of(passage, self.split) for passage in turn.passages]
        text, kept, said, at = turn.answer.text, "", [], 0
        spans = statements(text, self.split)
        held = marks = wrong = 0
        for start, end in spans:
            sentence = text[start:end]
            numbers = [number for mark in BRACKETED.findall(sentence) for number in cited(mark)]
            right = {one.number for one in self._holding(sentence, grounds) if one.number in numbers}
            best = evidence_of(sentence, grounds)
            holds = best.holds(self.enough)
            held, marks, wrong = held + holds, marks + len(numbers), wrong + len(numbers) - len(right)
            if holds or not self.drop:
                kept += text[at:start] if kept else ""
                kept += _marked(sentence, right, best.number if holds else 0)
            if not holds:
                why = "; ".join(best.problems) or f"{best.share:.0%} of its words are in [{best.number}]"
                said.append(f"ground: no passage supports {sentence[:80]!r}: {why}")
            at = end
        trace = (*turn.trace, f"ground: {held} of {len(spans)} sentences are supported", *said)
        if not kept.strip():
            return refused(replace(turn, trace=trace), "ground: nothing of the answer is left")
        known = {number for mark in BRACKETED.findall(kept) for number in cited(mark)}
        citations = tuple(one for one in turn.citations if one.number in known)
        added = tuple(Citation(number) for number in sorted(known - {one.number for one in citations}))
        scores = {
            **turn.answer.scores,
            "sentences": float(len(spans)),
            "supported_sentences": float(held),
            "citations": max(float(marks), turn.answer.scores.get("citations", 0.0)),
        }
        before = turn.answer.scores.get("citations", 0.0) - turn.answer.scores.get("right_citations", 0.0)
        scores["right_citations"] = max(0.0, scores["citations"] - wrong - before)
        answer = replace(turn.answer, text=kept.strip(), scores=scores)
        return replace(turn, answer=answer, citations=(*citations, *added), trace=trace)

    def _holding(self, sentence: str, grounds: Sequence[Read]) -> list[Evidence]:
        found = [evidence_of(sentence, [ground]) for ground in grounds]
        return [one for one in found if one.holds(self.enough)]


def _marked(sentence: str, right: set[int], best: int) -> str:
    """The sentence with the citations alone that are right, or with the best passage where none is."""
    if not right and not best:
        return RUN.sub("", sentence)

    def mend(run: re.Match[str]) -> str:
        numbers = [number for mark in BRACKETED.findall(run.group()) for number in cited(mark) if number in right]
        space = run.group()[: len(run.group()) - len(run.group().lstrip())]
        return space + "".join(f"[{number}]" for number in numbers) if numbers else ""

    text = RUN.sub(mend, sentence)
    if right:
        return text
    body = text.rstrip(".!?")
    return f"{body} [{best}]{text[len(body) :]}"
