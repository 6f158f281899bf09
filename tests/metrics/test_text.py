"""What metrics of written text share."""

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.evals.task import METRICS
from dragoman.metrics._text import best, figure, ngrams, per_case, reported, warning

TASKS = {"classify", "tag", "answer", "summarize", "translate", "chat", "write"}


def test_rouge_is_warned_of_where_it_sees_little() -> None:
    assert warning(["plain English", "un café"]) == ""
    assert warning([]) == ""
    said = warning(["これは日本語の文です"])
    assert "100% of the characters" in said and "chrf" in said


def test_the_best_of_several_references() -> None:
    assert best(len, ("a", "abc", "ab"), "x").tolist() == [3.0]
    with pytest.raises(UserError, match="x needs a text to compare"):
        best(len, (), "x")


def test_what_an_answer_must_report() -> None:
    assert reported(Answer("", (), {"nats": 2.0, "tokens": 4.0}), ("nats", "tokens"), "x").tolist() == [2.0, 4.0]
    with pytest.raises(UserError, match="x needs the tokens of each answer"):
        reported(Answer("", (), {"nats": 2.0}), ("nats", "tokens"), "x")


def test_runs_and_shares() -> None:
    assert ngrams("abab", 2) == {("a", "b"): 2, ("b", "a"): 1}
    assert not ngrams("a", 2)
    assert per_case(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist() == [0.5, 0.0]
    with pytest.raises(ValueError, match="at least one answer"):
        figure(lambda sums, count: sums[:, 0] / count, np.zeros((0, 1)))


@pytest.mark.parametrize("name", METRICS.names())
def test_every_metric_knows_its_tasks(name: str) -> None:
    kinds = METRICS.kind(name).kinds
    assert kinds and set(kinds) <= TASKS
