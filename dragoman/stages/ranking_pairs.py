"""Pairs of passages for a model that rates them: one that answers a question, and one that only looks as if it did.

The second is found by the words of the question (BM25), as Karpukhin et al. (2020, 2004.04906) do. What is found high
up may answer as well though nobody judged it: a passage whose cosine with the question comes near that of the answer is
not taken (Moreira et al. 2024, 2407.15831: 95 % of it), nor one that holds the answer's words or is nearly its text.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Chunk, OneOf
from dragoman.core.errors import UserError
from dragoman.core.show import Tick, many, silent
from dragoman.data.dedupe import canonical, similarity
from dragoman.evals.questions import Question
from dragoman.stages.shelf import Shelf

__all__ = ["Mined", "ranking_pairs"]

DEPTH = 50  # pieces that words bring for a question
POSITIVES = 8  # pieces of one question that are taken for its answer at the most
NEAR = 0.95  # of the cosine of the answer: what comes nearer may be an answer too
SAME = 0.8  # of the shingles: one passage is the other, cut elsewhere


@dataclass
class Mined:
    """Rows to learn from, and what was not taken, by why."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    questions: int = 0
    "questions that gave a pair"


def ranking_pairs(questions: Sequence[Question], shelf: Shelf, negatives: int = 4, tick: Tick = silent) -> Mined:
    """`negatives` pairs for each passage that answers a question, fewer where fewer are found.

    A row holds prompt (the question), chosen and rejected (as an index searches them), and its question as `group`.
    Questions without a place that answers them give none. Raises UserError where no pair is found.
    """
    if negatives < 1:
        raise UserError(f"{negatives} negatives are none", "say negatives=4")
    looking = replace(shelf.find().how, parents=False, depth=DEPTH, variety=0.0)
    words = replace(shelf.find(), how=replace(looking, fusion="lexical"))
    made = Mined()
    for number, question in enumerate(questions):
        tick(number / len(questions), f"{many(len(made.rows), 'pair')} of {many(number, 'question')}")
        if not question.relevant:
            made.left_out["questions without a passage that answers them"] += 1
            continue
        positives = _positives(question, shelf)
        if not positives:
            made.left_out["questions whose passages the index does not hold"] += 1
            continue
        others = [hit.chunk for hit in words(question.text, DEPTH)]
        others = [one for one in others if not any(place.holds(one) for place in question.relevant)]
        cosines = _cosines(question.text, [*positives, *others], shelf)
        before = len(made.rows)
        for place, chosen in enumerate(positives):
            near = NEAR * float(cosines[place])
            left = [one for one, cosine in zip(others, cosines[len(positives) :], strict=True) if not cosine > near]
            made.left_out["passages that may answer too"] += len(others) - len(left)
            taken = list(islice(_negatives(question, positives, left, made.left_out), negatives))
            made.rows += [_row(question, place, chosen, one) for one in taken]
        made.questions += len(made.rows) > before
    made.left_out = +made.left_out
    if not made.rows:
        told = ", ".join(f"{count} {why}" for why, count in made.left_out.items())
        raise UserError(
            f"no pair was found: {told}", 'name where answers stand: {"question": "...", "relevant": [...]}'
        )
    return made


def _positives(question: Question, shelf: Shelf) -> list[Chunk]:
    """The pieces that answer: those of the places that are named; of a whole source the one that is nearest."""
    sources = tuple(dict.fromkeys(place.source for place in question.relevant))
    held = [one for one in shelf.store.scan(OneOf("source", sources)) if not one.is_parent]
    exact = [place for place in question.relevant if place.end]
    found = [chunk for chunk in held if any(place.holds(chunk) for place in exact)]
    for place in question.relevant:
        pieces = [chunk for chunk in held if chunk.source == place.source]
        if place.end or not pieces:
            continue
        looking = replace(shelf.find().how, parents=False, filter=OneOf("source", (place.source,)))
        best = shelf.find(looking)(question.text, 1) if len(pieces) > 1 else []
        found.append(best[0].chunk if best else pieces[0])
    return found[:POSITIVES]


def _negatives(
    question: Question, positives: Sequence[Chunk], others: Sequence[Chunk], left_out: Counter[str]
) -> Iterator[Chunk]:
    """Those of the other pieces that do not say what the answer says, in their order."""
    answers = [canonical(answer) for answer in question.answers if answer.strip()]
    for one in others:
        if any(f" {answer} " in f" {canonical(one.embedded)} " for answer in answers):
            left_out["passages that hold the answer's words"] += 1
        elif any(similarity(one.text, other.text) > SAME for other in positives):
            left_out["passages that nearly are the answer"] += 1
        else:
            yield one


def _cosines(question: str, chunks: Sequence[Chunk], shelf: Shelf) -> NDArray[np.float32]:
    """How near each piece is to the question, of shape [pieces]; not a number where the index holds no vectors."""
    if shelf.embedder is None:
        return np.full(len(chunks), np.nan, dtype=np.float32)
    texts = [one.embedded for one in chunks]
    held = dict(shelf.store.vectors_of(texts))
    fresh = [text for text in dict.fromkeys(texts) if text not in held]
    made = shelf.embedder.embed([question, *fresh])
    held |= dict(zip(fresh, made[1:], strict=True))
    found: NDArray[np.float32] = np.stack([held[text] for text in texts]) @ made[0]
    return found


def _row(question: Question, place: int, chosen: Chunk, rejected: Chunk) -> dict[str, Any]:
    number = f"{rejected.source}#{rejected.number}"
    row = {"id": f"{question.id}/{place}/{number}", "prompt": question.text}
    row |= {"chosen": chosen.embedded, "rejected": rejected.embedded, "group": question.id}
    return {**row, "generated": True, "by": question.by} if question.by else row
