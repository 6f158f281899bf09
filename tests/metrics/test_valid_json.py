"""Answers that are JSON and nothing else."""

import pytest

from dragoman.core.types import Answer
from dragoman.metrics.valid_json import ValidJson


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('{"a": 1}', 1.0),
        (" [1, 2]\n", 1.0),
        ("3", 1.0),
        ("{'a': 1}", 0.0),
        ('Here: {"a": 1}', 0.0),
        ('```json\n{"a": 1}\n```', 0.0),
        ('{"a": NaN}', 0.0),
        ("", 0.0),
        ("[" * 100_000, 0.0),
    ],
)
def test_it_parses(said: str, expected: float) -> None:
    assert ValidJson().measure(Answer(said), ()).tolist() == [expected]


def test_keys_that_must_be_there() -> None:
    metric = ValidJson(("name", "age"))
    rows = [metric.measure(Answer(text), ())[0] for text in ('{"name": 1, "age": 2, "x": 3}', '{"name": 1}', "[1]")]
    assert rows == [1.0, 0.0, 0.0]
