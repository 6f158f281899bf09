"""The sentences of passages that answer a question best, by the words they share with it and by their meaning."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dragoman.app.passages import Passage
from dragoman.app.wording import content, rarity, same_word, words
from dragoman.core.doors import Embedder
from dragoman.core.sentences import Span, split_sentences

__all__ = ["Quotation", "quotations"]

MEANING = 0.5  # the weight of the cosine beside that of the words
BEFORE = 0.3  # of the words that the sentence before shares: "It" goes on about what that one named
LATER = 0.02  # what each place further down the list of passages costs


@dataclass(frozen=True, slots=True)
class Quotation:
    """A sentence of a passage, `chunk.text[start:end]`, exactly, and how well it fits the question."""

    number: int
    start: int
    end: int
    text: str
    score: float


def quotations(
    question: str,
    passages: Sequence[Passage],
    embedder: Embedder | None = None,
    split: Callable[[str], Sequence[Span]] = split_sentences,
) -> list[Quotation]:
    """Every sentence of the passages, the best first.

    A sentence scores by the share of the question's content words it holds, each counted by how rare it is among the
    sentences, by a part of what the sentence before it holds, and by the cosine where an embedder is given.
    """
    places = [(one, start, end) for one in passages for start, end in split(one.chunk.text)]
    if not places:
        return []
    texts = [one.chunk.text[start:end] for one, start, end in places]
    said = [frozenset(word.plain for word in content(words(text))) for text in texts]
    titles = {one.number: frozenset(w.plain for part in one.chunk.path for w in words(part)) for one in passages}
    asked = list(dict.fromkeys(word.plain for word in content(words(question))))
    forms = {word: {other for text in said for other in text if same_word(word, other)} for word in asked}
    rare = rarity([[word for word in asked if forms[word] & text] for text in said])
    weight = {word: rare.get(word, 0.0) for word in asked}
    total = sum(weight.values()) or 1.0
    shares = np.array([sum(weight[word] for word in asked if forms[word] & text) / total for text in said])
    found = shares.copy()
    for row in range(1, len(places)):
        if places[row][0] is places[row - 1][0]:
            new = [word for word in asked if forms[word] & said[row - 1] and not forms[word] & said[row]]
            found[row] += BEFORE * sum(weight[word] for word in new) / total
    for row, (one, _, _) in enumerate(places):
        new = [word for word in asked if word in titles[one.number] and not forms[word] & said[row]]
        found[row] += BEFORE * sum(weight[word] for word in new) / total
    if embedder is not None:
        vectors = embedder.embed([question, *texts]).astype(np.float64)
        found = (1 - MEANING) * found + MEANING * (vectors[1:] @ vectors[0])
    found -= LATER * np.array([one.number - 1 for one, _, _ in places])
    order = np.argsort(-found, kind="stable")
    return [
        Quotation(places[row][0].number, places[row][1], places[row][2], texts[row], float(found[row])) for row in order
    ]
