"""The vote of the nearest examples, and its tuning by leaving each out."""

import time

import numpy as np
import pytest

from dragoman.app.nearest import nearest, tune, votes


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def test_nearest_is_the_sorted_list_of_cosines() -> None:
    random = np.random.default_rng(0)
    vectors, queries = unit(random.normal(size=(300, 8))), unit(random.normal(size=(20, 8)))
    cosines, places = nearest(queries, vectors, 7)
    expected = np.argsort(-(queries @ vectors.T), axis=1)[:, :7]
    assert np.array_equal(places, expected)
    assert np.allclose(cosines, np.take_along_axis(queries @ vectors.T, expected, axis=1))


def test_banned_vectors_come_last_with_no_weight() -> None:
    vectors = unit(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]))
    cosines, places = nearest(vectors[:1], vectors, 3, [np.array([0, 1])])
    assert places[0, 0] == 2
    assert np.isneginf(cosines[0, 1:]).all()
    held = np.eye(3)
    only = next(votes(cosines, places, held, 0.1, (3,)))
    assert only[0].argmax() == 2
    assert abs(only.sum() - 1) < 1e-12
    nobody = next(votes(np.full((1, 2), -np.inf), np.zeros((1, 2), dtype=np.intp), held, 0.1, (2,)))
    assert np.allclose(nobody, 1 / 3)


def test_every_count_of_a_vote_is_as_if_asked_alone() -> None:
    random = np.random.default_rng(1)
    vectors, queries = unit(random.normal(size=(50, 4))), unit(random.normal(size=(9, 4)))
    held = np.eye(3)[random.integers(0, 3, 50)]
    cosines, places = nearest(queries, vectors, 10)
    together = list(votes(cosines, places, held, 0.2, (1, 4, 10)))
    for count, given in zip((1, 4, 10), together, strict=True):
        near, at = nearest(queries, vectors, count)
        assert np.allclose(given, next(votes(near, at, held, 0.2, (count,))))
        weights = np.exp(near / 0.2)
        plain = np.einsum("qn,qnl->ql", weights / weights.sum(axis=1, keepdims=True), held[at])
        assert np.allclose(given, (plain * count + 1 / 3) / (count + 1))


def test_tuning_finds_what_the_data_needs() -> None:
    random = np.random.default_rng(2)
    centres = random.normal(size=(4, 16))
    place = random.integers(0, 4, 600)
    vectors = unit(centres[place] + 1.2 * random.normal(size=(600, 16)))
    noisy = np.where(random.random(600) < 0.3, random.integers(0, 4, 600), place)
    setting = tune(vectors, np.eye(4)[noisy])
    assert setting.neighbours >= 8  # three labels in ten are wrong: one neighbour must not decide
    assert setting.accuracy > 0.65
    assert tune(vectors, np.eye(4)[noisy]) == setting


def test_a_row_never_votes_for_itself_or_its_own_kind() -> None:
    random = np.random.default_rng(3)
    base = unit(random.normal(size=(100, 32)))
    vectors = np.repeat(base, 2, axis=0)  # each row stands twice
    held = np.eye(2)[np.repeat(random.integers(0, 2, 100), 2)]
    leaking = tune(vectors, held)
    honest = tune(vectors, held, [str(number // 2) for number in range(200)])
    assert leaking.accuracy == 1.0  # the copy gives the label away
    assert honest.accuracy < 0.75  # random labels cannot be known
    assert tune(vectors, held, [""] * 200).accuracy == 1.0
    with pytest.raises(ValueError, match="identities"):
        tune(vectors, held, ["a"])
    with pytest.raises(ValueError, match="at least two"):
        tune(vectors[:1], held[:1])


def test_several_labels_and_two_rows() -> None:
    vectors = unit(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]))
    held = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    assert tune(vectors, held, multi_label=True).accuracy == 1.0
    assert tune(vectors[:2], np.eye(2)).neighbours == 1


def test_tuning_is_fast_on_many_rows() -> None:
    random = np.random.default_rng(4)
    vectors = unit(random.normal(size=(8000, 64)))
    held = np.eye(20)[random.integers(0, 20, 8000)]
    begun = time.process_time()
    tune(vectors, held)
    assert time.process_time() - begun < 20
