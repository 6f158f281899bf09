"""Right citations over all of them."""

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics.citation_precision import CitationPrecision


def test_citations_are_summed_over_answers() -> None:
    metric = CitationPrecision()
    said = [(1.0, 2.0), (2.0, 2.0)]
    rows = np.array([metric.measure(Answer("x", scores={"right_citations": a, "citations": b}), ()) for a, b in said])
    assert metric.combine(rows) == pytest.approx(0.75)
    with pytest.raises(UserError, match="citation_precision needs"):
        metric.measure(Answer("x"), ())
