"""Words tagged right, over all rows."""

import numpy as np
import pytest

from dragoman.core.types import Answer
from dragoman.metrics.token_accuracy import TokenAccuracy


def test_words_count_not_rows() -> None:
    metric = TokenAccuracy()
    rows = [metric.measure(Answer("B-PER O"), ("B-PER", "O", "O", "O")), metric.measure(Answer("O"), ("B-PER",))]
    assert [row.tolist() for row in rows] == [[4, 4], [0, 1]]
    assert metric.combine(np.stack(rows)) == pytest.approx(0.8)
