"""Drift: nothing on the same texts, uniform p-values where nothing has moved, and a planted shift is found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dragoman.serve.drift import Inputs, cut_points, discrepancy, groups, measure, refer, stability

COUNTS = st.lists(st.integers(0, 500), min_size=1, max_size=12)


def cloud(random: np.random.Generator, count: int, shift: float = 0.0, width: int = 4) -> NDArray[np.float32]:
    """Vectors around a place."""
    return (random.normal(size=(count, width)) + shift).astype(np.float32)


@given(COUNTS, st.data())
@settings(max_examples=60, deadline=None)
def test_the_index_is_0_on_the_same_counts_and_never_below(counts: list[int], data: st.DataObject) -> None:
    assert stability(counts, counts) == 0.0
    others = data.draw(st.lists(st.integers(0, 500), min_size=len(counts), max_size=len(counts)))
    assert stability(counts, others) == pytest.approx(stability(others, counts)) and stability(counts, others) >= 0


def test_the_index_by_hand() -> None:
    # With 100,000 in each, the half that is added is nothing: 0.2 ln 1.5 + 0.2 ln (0.6 / 0.4).
    found = stability([60_000, 40_000], [40_000, 60_000])
    assert found == pytest.approx(2 * 0.2 * np.log(1.5), abs=1e-5)


def test_lengths_are_cut_into_equal_parts_and_fewer_where_they_are_alike() -> None:
    edges = cut_points(list(range(1000)))
    held = np.bincount(np.searchsorted(edges, np.arange(1000), side="left"), minlength=10)
    assert len(edges) == 9 and held.min() >= 99 and held.max() <= 101
    assert len(cut_points([7] * 50)) == 1


def test_groups_are_found_again_and_are_the_same_each_time() -> None:
    random = np.random.default_rng(0)
    made = np.vstack([cloud(random, 40, 20.0 * place) for place in range(3)])
    centres = groups(made, 3)
    assert sorted(np.round(centres.mean(axis=1) / 20).astype(int).tolist()) == [0, 1, 2]
    assert (centres == groups(made, 3)).all()
    assert len(groups(np.zeros((5, 3), dtype=np.float32), 4)) == 1


def test_p_values_are_uniform_where_nothing_has_moved() -> None:
    random = np.random.default_rng(1)
    found = np.sort([discrepancy(cloud(random, 16), cloud(random, 12), 99, seed)[1] for seed in range(200)])
    steps = np.arange(1, 201) / 200
    # Kolmogorov and Smirnov: 1.63 / sqrt(200) is passed by 1 in 100; p-values come in steps of 0.01.
    assert max((steps - found).max(), (found - steps + 1 / 200).max()) < 1.63 / np.sqrt(200) + 0.01


def test_a_planted_shift_is_found_and_a_shuffle_is_not() -> None:
    random = np.random.default_rng(2)
    held, other = cloud(random, 80), cloud(random, 60, 0.8)
    assert discrepancy(held, other)[1] < 0.01
    assert discrepancy(held, cloud(random, 60))[1] > 0.05
    assert discrepancy(np.ones((9, 4), dtype=np.float32), np.ones((5, 4), dtype=np.float32)) == (0.0, 1.0)


def test_what_is_measured_of_texts() -> None:
    random = np.random.default_rng(3)
    lengths = random.integers(20, 200, 300).tolist()
    vectors = np.vstack([cloud(random, 100, 6.0 * place) for place in range(3)])
    reference = refer(Inputs(lengths, vectors))
    same = measure(reference, Inputs(lengths, vectors))
    assert (same.lengths, same.topics) == (0.0, 0.0) and same.distance == 0.0 and same.p > 0.9
    assert same.chance == pytest.approx(9 * 2 / 300) and (same.n, same.reference) == (300, 300)
    moved = measure(reference, Inputs([9 * one for one in lengths[:100]], vectors[:100]))
    assert moved.lengths > 1 and moved.topics > 1 and moved.p < 0.01 and moved.stability >= moved.lengths
