"""Finding documents: words, vectors and both, on Cranfield and on XQuAD's paragraphs.

python -m benchmarks.retrieval [--data FOLDER] [--threads 2] [--only cranfield xquad] [--dry]
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.side_by_side import ROOT, machine, replace_section
from dragoman.core.documents import Chunk, Document, Hit
from dragoman.data.chunk import Cutting, cut
from dragoman.evals.retrieval import Ranked, compare_rankings, score_rankings
from dragoman.rag.fusion import convex, rrf
from dragoman.rag.lexical import Lexical

__all__ = ["Collection", "read_cranfield", "read_xquad"]

Embed = Callable[[list[str]], NDArray[np.float32]]
HEADING = "Finding documents"
FIGURES = ("ndcg@10", "map", "recall@100", "mrr")
BM25, DENSE, CONVEX, RRF, PIECES = "BM25", "dense", "hybrid, convex", "hybrid, RRF", "hybrid, convex, by pieces"
FIRST = 1000
"places of a ranking that are kept, as the TREC evaluations do"


@dataclass(frozen=True)
class Collection:
    """Documents, queries, and the gain of each relevant document of each query."""

    names: tuple[str, ...]
    titles: tuple[str, ...]
    texts: tuple[str, ...]
    queries: Mapping[str, str]
    relevance: Mapping[str, Mapping[str, float]]

    @property
    def searched(self) -> list[str]:
        """What is indexed of each document: the title, then the text."""
        return [f"{title}\n{text}".strip() for title, text in zip(self.titles, self.texts, strict=True)]


def read_cranfield(folder: Path) -> Collection:
    """The Cranfield collection in BEIR's form. Its judgements name queries by their place, 1 to 225, and not by the
    number that the source prints; the code -1 stands once a query and is relevant (1,400 documents, 150 queries).

    Raises ValueError where a judgement names a query or a document that is not there.
    """
    documents = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    asked = [json.loads(line) for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    names = tuple(row["_id"] for row in documents)
    queries = {row["_id"]: row["text"] for row in asked}
    relevance: dict[str, dict[str, float]] = {query: {} for query in queries}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, score, _code = line.split("\t")
        relevance[query][document] = float(score)
    strange = {name for judged in relevance.values() for name in judged} - set(names)
    if strange:
        raise ValueError(f"documents that are judged and not there: {sorted(strange)[:3]}")
    titles, texts = (tuple(row[key] for row in documents) for key in ("title", "text"))
    return Collection(names, titles, texts, queries, relevance)


def read_xquad(path: Path) -> Collection:
    """The paragraphs of XQuAD as documents; of each question, the one it was written about is relevant.

    Without the titles of the articles: they would give the paragraphs away.
    """
    names: list[str] = []
    texts: list[str] = []
    queries: dict[str, str] = {}
    relevance: dict[str, dict[str, float]] = {}
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            names.append(str(len(names)))
            texts.append(paragraph["context"])
            for asked in paragraph["qas"]:
                queries[asked["id"]] = asked["question"]
                relevance[asked["id"]] = {names[-1]: 1.0}
    return Collection(tuple(names), ("",) * len(names), tuple(texts), queries, relevance)


def arms(collection: Collection, figures: Sequence[str], embed: Embed) -> dict[str, Ranked]:
    """Words, vectors, and both by their sum and by their ranks, over whole documents; then both over their pieces."""
    whole = [
        Chunk(name, 0, 0, len(text), text) for name, text in zip(collection.names, collection.searched, strict=True)
    ]
    pieces = [
        chunk
        for name, title, text in zip(collection.names, collection.titles, collection.texts, strict=True)
        for chunk in cut(Document(name, text, title=title), Cutting())
    ]
    found: dict[str, dict[str, list[str]]] = {}
    for query, hits in _searched(whole, collection.queries, embed):
        orders = {
            BM25: sorted((hit for hit in hits if hit.lexical), key=lambda hit: -(hit.lexical or 0.0)),
            DENSE: sorted(hits, key=lambda hit: -(hit.dense or 0.0)),
            CONVEX: convex(hits),
            RRF: rrf(hits),
        }
        for label, order in orders.items():
            found.setdefault(label, {})[query] = [hit.chunk.source for hit in order[:FIRST]]
    for query, hits in _searched(pieces, collection.queries, embed):
        found.setdefault(PIECES, {})[query] = [hit.chunk.source for hit in convex(hits)[:FIRST]]
    return {label: score_rankings(one, collection.relevance, figures) for label, one in found.items()}


def _searched(chunks: list[Chunk], queries: Mapping[str, str], embed: Embed) -> Iterator[tuple[str, list[Hit]]]:
    """Each query with all pieces scored: BM25 with k1 1.2, b 0.75, Porter's stems and 33 stop words; the cosine."""
    texts = [chunk.embedded for chunk in chunks]
    words = Lexical(stemmer="porter")
    words.add(texts)
    cosines = embed(list(queries.values())) @ embed(texts).T  # [queries, pieces]
    for (query, asked), row in zip(queries.items(), cosines.tolist(), strict=True):
        scores = words.scores(asked).tolist()
        yield query, [Hit(*one) for one in zip(chunks, repeat(0.0), row, scores)]


def _encoder() -> Embed:
    from dragoman.models.open import open_embedder

    return open_embedder("builtin:minilm", device="cpu").embed


def told_arms(name: str, found: Mapping[str, Ranked], figures: Sequence[str], aims: Mapping[str, str]) -> str:
    """A table of the arms with intervals, then what the hybrid gains on each of its parts."""
    lines = [f"| {name} | " + " | ".join(figures) + " |", "|---" * (len(figures) + 1) + "|"]
    for label, one in found.items():
        estimates = one.estimates()
        cells = [f"{estimates[key].value:.4f} [{estimates[key].low:.3f}, {estimates[key].high:.3f}]" for key in figures]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    said = ["\n".join(lines)]
    for part in (BM25, DENSE):
        gap = compare_rankings(found[part], found[CONVEX], figures[0])
        change = gap.difference
        said.append(f"{CONVEX} - {part}, {figures[0]}: {change.value:+.4f} [{change.low:+.4f}, {change.high:+.4f}].")
    note = found[BM25].note
    return "\n\n".join([*said, *([note] if note else []), *(f"Aim: {aim}: {met}." for aim, met in aims.items())])


def met(holds: bool) -> str:
    """Whether an aim was met, in a word."""
    return "met" if holds else "missed"


def cranfield(data: Path) -> str:
    """The section on Cranfield."""
    found = arms(read_cranfield(data / "rag" / "cranfield"), FIGURES, _encoder())
    value = {label: float(one.rows["ndcg@10"].mean()) for label, one in found.items()}
    gap = compare_rankings(found[BM25], found[CONVEX], "ndcg@10").difference
    aims = {
        "BM25 nDCG@10 within 0.01 of 0.516": met(abs(value[BM25] - 0.516) <= 0.01),
        "hybrid nDCG@10 0.56 or more, above both of its parts, above BM25 with an interval without 0": met(
            value[CONVEX] >= 0.56 and value[CONVEX] > max(value[BM25], value[DENSE]) and gap.low > 0
        ),
    }
    return told_arms("Cranfield, 1,400 documents", found, FIGURES, aims)


def xquad(data: Path) -> str:
    """The section on XQuAD's paragraphs."""
    figures = ("recall@5", "recall@1", "mrr")
    found = arms(read_xquad(data / "qa" / "xquad.en.json"), figures, _encoder())
    share = float(found[CONVEX].rows["recall@5"].mean())
    return told_arms("XQuAD-en, paragraphs", found, figures, {"hybrid recall@5 0.93 or more": met(share >= 0.93)})


def main() -> None:
    """Measure, print, and write the section into docs/performance.md."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    words.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    words.add_argument("--only", nargs="+", choices=("cranfield", "xquad"))
    words.add_argument("--dry", action="store_true", help="print only; leave docs/performance.md as it is")
    given = words.parse_args()
    import torch

    torch.set_num_threads(given.threads)
    parts = {"cranfield": cranfield, "xquad": xquad}
    said = [parts[name](given.data) for name in given.only or parts]
    packages = ("numpy", "torch", "PyStemmer")
    body = "\n\n".join([*said, machine(packages, given.threads), "Again: `python -m benchmarks.retrieval`"])
    print(body)
    if not given.dry and not given.only:
        replace_section(ROOT / "docs" / "performance.md", HEADING, body)


if __name__ == "__main__":
    main()
