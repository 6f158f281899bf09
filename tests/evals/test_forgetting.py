"""What a model could do before and can no longer."""

import numpy as np
import pytest

from dragoman.evals.forgetting import forgetting, known_items


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


RANDOM = np.random.default_rng(0)
DOCUMENTS = unit(RANDOM.normal(size=(300, 32)))
QUERIES = unit(DOCUMENTS + 0.1 * RANDOM.normal(size=(300, 32)))


def test_each_query_finds_its_own() -> None:
    assert known_items(QUERIES, DOCUMENTS).mean() == 1.0
    assert known_items(QUERIES, np.roll(DOCUMENTS, 1, axis=0)).mean() == 0.0
    with pytest.raises(ValueError, match="pair up"):
        known_items(QUERIES, DOCUMENTS[:5])


def test_collapsed_vectors_find_nothing() -> None:
    same = np.repeat(DOCUMENTS[:1], 300, axis=0)
    assert known_items(same, same).sum() == 0
    assert forgetting((QUERIES, DOCUMENTS), (same, same)).drop.value == 1.0


def test_nothing_forgotten_is_within_a_limit() -> None:
    card = forgetting((QUERIES, DOCUMENTS), (QUERIES, DOCUMENTS))
    assert card.drop.value == 0.0
    assert -0.05 < card.drop.low < 0 < card.drop.high < 0.05
    assert card.comparison.better == "tie"
    assert card.before.n == card.drop.n == 300


def test_a_damaged_model_is_seen() -> None:
    damaged = unit(QUERIES + 0.6 * RANDOM.normal(size=QUERIES.shape))
    card = forgetting((QUERIES, DOCUMENTS), (damaged, DOCUMENTS))
    assert card.drop.value == pytest.approx(card.before.value - card.after.value)
    assert 0 < card.drop.low < card.drop.value < card.drop.high
    assert card.comparison.better == "a"
