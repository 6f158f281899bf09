"""A prediction survives predictions.jsonl."""

import json

from dragoman.core.types import Answer, Example, Message
from dragoman.evals.prediction import Prediction


def test_there_and_back() -> None:
    example = Example((Message("user", "wer?"),), ("a",), meta={"id": 7, "group": "g"})
    made = Prediction.of(1, example, Answer("b", ("b",), {"a": 0.1, "b": 0.9}))
    assert (made.id, made.group, made.text) == ("7", "g", "wer?")
    assert Prediction.from_row(json.loads(json.dumps(made.to_row()))) == made
    assert not made.right
    assert made.to_row()["right"] is False


def test_a_row_without_id_is_known_by_its_number() -> None:
    assert Prediction.of(3, Example((), ("a",)), Answer("a")).id == "3"


def test_confidence() -> None:
    one = Prediction("1", "", ("a",), Answer("a", ("a",), {"a": 0.7, "b": 0.3}))
    assert one.confidence == 0.7
    several = Prediction("1", "", ("a",), Answer("", ("a",), {"a": 0.9, "b": 0.3}))
    assert abs(several.confidence - 0.8) < 1e-12
    assert Prediction("1", "", ("a",), Answer("a")).confidence == 0.0
    assert Prediction("1", "", ("a",), Answer("a")).right
