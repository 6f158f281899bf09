"""Refusals against questions without an answer: recall."""

import numpy as np
import pytest

from dragoman.core.documents import NOT_IN_DOCUMENTS
from dragoman.core.types import Answer
from dragoman.metrics.refusal_recall import RefusalRecall

CASES = (
    (NOT_IN_DOCUMENTS, ()),
    ("Not in the documents.", ("",)),
    (NOT_IN_DOCUMENTS, ("Paris",)),
    ("Paris", ("Paris",)),
    ("Paris", ()),
    ("It is not in the documents of Rome", ()),
)


def test_the_figure() -> None:
    metric = RefusalRecall()
    rows = np.array([metric.measure(Answer(said), references) for said, references in CASES])
    assert rows.sum(axis=0).tolist() == [2, 3, 4]
    assert metric.combine(rows) == pytest.approx(0.5)
    assert metric.combine(rows[3:4]) == 0.0
