"""The exact search is exact, ties have an order, and the graph finds nearly all of what it finds."""

import numpy as np
import pytest

from dragoman.rag.dense import Dense, highest
from tests.rag.shelves import embed


def test_highest_keeps_the_first_of_equals() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        scores = rng.integers(0, 4, size=rng.integers(0, 12)).astype(np.float32)
        scores[rng.random(len(scores)) < 0.2] = -np.inf
        k = int(rng.integers(1, 14))
        right = sorted(
            (row for row in range(len(scores)) if scores[row] > -np.inf), key=lambda row: (-scores[row], row)
        )
        assert highest(scores, k).tolist() == right[:k]


def test_the_exact_search_is_brute_force() -> None:
    vectors = embed([str(number) for number in range(500)], 16)
    dense = Dense(16)
    for first in range(0, 500, 37):
        dense.add(vectors[first : first + 37])
    assert np.array_equal(dense.vectors, vectors)
    allowed = np.arange(500) % 7 == 0
    for query in embed([f"query {number}" for number in range(50)], 16):
        for mask in (None, allowed, ~allowed):
            every = [(-float(vectors[row] @ query), row) for row in range(500) if mask is None or mask[row]]
            rows, cosines = dense.near(query, 10, mask)
            assert rows.tolist() == [row for _, row in sorted(every)[:10]]
            assert cosines == pytest.approx([-score for score, _ in sorted(every)[:10]], abs=1e-6)


def test_the_graph_finds_nearly_all() -> None:
    pytest.importorskip("faiss")
    vectors = embed([str(number) for number in range(2000)], 16)
    graph, exact = Dense(16, exact_up_to=100), Dense(16)
    for part in (slice(0, 1500), slice(1500, 2000)):  # and takes in what comes later
        graph.add(vectors[part])
        exact.add(vectors[part])
        kept = np.arange(len(exact)) % 2 == 0
        shares = []
        for query in embed([f"query {number}" for number in range(50)], 16):
            for mask in (None, kept):
                ours, cosines = graph.near(query, 10, mask)
                right, _ = exact.near(query, 10, mask)
                shares.append(len({*ours.tolist()} & {*right.tolist()}) / 10)
                assert mask is None or mask[ours].all()
                assert cosines == pytest.approx(vectors[ours] @ query, abs=1e-5)
        assert np.mean(shares) > 0.97
    few = np.arange(2000) < 5
    assert sorted(graph.near(vectors[0], 10, few)[0].tolist()) == [0, 1, 2, 3, 4]
