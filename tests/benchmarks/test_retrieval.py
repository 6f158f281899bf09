"""The benchmark of finding documents: its collections, the trap of Cranfield's numbers, and what it tells."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.retrieval import (
    BM25,
    CONVEX,
    DENSE,
    PIECES,
    RRF,
    arms,
    met,
    read_cranfield,
    read_xquad,
    told_arms,
)
from dragoman.evals.retrieval import score_rankings
from dragoman.rag.lexical import Lexical


def spelled(texts: list[str]) -> NDArray[np.float32]:
    """Vectors of length 1 from the letters of a text."""
    counts = np.array([[text.count(letter) + 0.01 for letter in "abcdefghij"] for text in texts], dtype=np.float32)
    vectors: NDArray[np.float32] = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    return vectors


def write_cranfield(folder: Path, judged: str = "2") -> None:
    rows = [
        {"_id": str(number), "title": letter * 3, "text": f"{letter * 5} word"}
        for number, letter in enumerate("abc", 1)
    ]
    asked = [{"_id": str(number), "text": letter * 5} for number, letter in enumerate("ab", 1)]
    for name, lines in (("corpus", rows), ("queries", asked)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\tcode\n1\t1\t1\t2\n2\t{judged}\t1\t-1\n")


def test_every_arm_finds_what_is_plain(tmp_path: Path) -> None:
    write_cranfield(tmp_path)
    found = arms(read_cranfield(tmp_path), ("mrr", "hit@1"), spelled)
    assert set(found) == {BM25, DENSE, CONVEX, RRF, PIECES}
    assert all(one.rows["mrr"].tolist() == [[1.0], [1.0]] for one in found.values())
    said = told_arms("Three", found, ("mrr", "hit@1"), {"all found": met(True)})
    assert (
        "| BM25 | 1.0000 [" in said
        and "hybrid, convex - BM25, mrr: +0.0000 [" in said
        and "Aim: all found: met." in said
    )


def test_a_judged_document_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_cranfield(tmp_path, "9")
    with pytest.raises(ValueError, match="'9'"):
        read_cranfield(tmp_path)


def test_cranfield_by_words_and_with_its_numbers_mistaken(shared_data: Path) -> None:
    collection = read_cranfield(shared_data / "rag" / "cranfield")
    assert (len(collection.names), len(collection.queries)) == (1400, 150)
    assert sum(map(len, collection.relevance.values())) == 1204
    words = Lexical(stemmer="porter")
    words.add(collection.searched)
    rankings = {
        query: [collection.names[number] for number, _ in words.best(text, 100)]
        for query, text in collection.queries.items()
    }
    right = score_rankings(rankings, collection.relevance, ["ndcg@10"]).rows["ndcg@10"]
    assert abs(right.mean() - 0.516) <= 0.01
    lines = (shared_data / "rag" / "cranfield" / "queries.jsonl").read_text().splitlines()
    printed = {str(int(row["metadata"]["printed_number"])): row["_id"] for row in map(json.loads, lines)}
    mistaken = {query: rankings[printed[query]] if query in printed else [] for query in collection.queries}
    wrong = score_rankings(mistaken, collection.relevance, ["ndcg@10"]).rows["ndcg@10"]
    assert wrong.mean() < 0.05


def test_paragraphs_and_their_questions(shared_data: Path) -> None:
    found = read_xquad(shared_data / "qa" / "xquad.en.json")
    assert (len(found.names), len(found.queries)) == (180, 908)
