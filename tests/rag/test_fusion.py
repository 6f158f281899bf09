"""Fusions are their formulas, computed again in the plainest way."""

import numpy as np
import pytest

from dragoman.core.documents import Hit
from dragoman.rag.fusion import convex, mmr, rrf
from tests.rag.shelves import embed, piece


def drawn(seed: int, count: int = 12) -> list[Hit]:
    """Hits with both scores, some without one."""
    rng = np.random.default_rng(seed)
    hits = []
    for number in range(count):
        dense = None if rng.random() < 0.2 else round(float(rng.uniform(-1, 1)), 1)
        lexical = None if rng.random() < 0.2 else round(max(0.0, float(rng.normal(2, 3))), 0)
        hits.append(Hit(piece("a", number, str(number)), 0.0, dense, lexical))
    return hits


@pytest.mark.parametrize("seed", range(20))
def test_convex_is_its_formula(seed: int) -> None:
    hits = drawn(seed)
    most = max(hit.lexical or 0 for hit in hits)
    right = {
        hit.chunk.number: 0.7 * (hit.dense or 0) + (0.3 * (hit.lexical or 0) / most if most else 0) for hit in hits
    }
    found = convex(hits)
    assert {hit.chunk.number: hit.score for hit in found} == pytest.approx(right, abs=1e-12)
    assert [hit.chunk.number for hit in found] == sorted(right, key=lambda number: (-right[number], number))


@pytest.mark.parametrize("seed", range(20))
def test_rrf_is_its_formula(seed: int) -> None:
    hits = drawn(seed)
    right = dict.fromkeys(range(len(hits)), 0.0)
    for name in ("dense", "lexical"):
        ranked = [hit for hit in hits if getattr(hit, name) is not None and (name == "dense" or hit.lexical)]
        ranked.sort(key=lambda hit: (-getattr(hit, name), hit.chunk.number))
        for rank, hit in enumerate(ranked):
            right[hit.chunk.number] += 1 / (10 + rank + 1)
    assert {hit.chunk.number: hit.score for hit in rrf(hits)} == pytest.approx(right, abs=1e-12)


def test_nothing_fuses_to_nothing() -> None:
    assert convex([]) == [] and rrf([]) == [] and mmr([], np.zeros((0, 4), np.float32), 3) == []
    alone = [Hit(piece("a", 0, "x"), 0, None, 0.0)]
    assert convex(alone)[0].score == 0 and rrf(alone)[0].score == 0


@pytest.mark.parametrize("seed", range(20))
def test_mmr_takes_the_best_of_what_is_left(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = embed([f"{seed} {number}" for number in range(9)], 3)
    hits = [Hit(piece("a", number, str(number)), float(rng.random())) for number in range(9)]
    taken: list[int] = []
    while len(taken) < 6:
        gains = {}
        for row in set(range(9)) - set(taken):
            alike = max((float(vectors[row] @ vectors[other]) for other in taken), default=0.0)
            gains[row] = 0.6 * hits[row].score - 0.4 * alike
        taken.append(max(gains, key=lambda row: gains[row]))
    found = mmr(hits, vectors, 6, 0.6)
    assert [hit.chunk.number for hit in found] == taken
    assert all(hit is hits[hit.chunk.number] for hit in found)


def test_mmr_passes_over_a_double() -> None:
    vectors = np.eye(3, dtype=np.float32)[[0, 0, 1]]
    hits = [Hit(piece("s", number, "x"), score) for number, score in enumerate((1.0, 0.99, 0.5))]
    assert [hit.chunk.number for hit in mmr(hits, vectors, 2, 0.5)] == [0, 2]
