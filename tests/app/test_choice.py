"""From probabilities to an answer."""

import numpy as np

from dragoman.app.choice import choose, softmax

LABELS = ("a", "b", "c")


def test_one_label() -> None:
    answer = choose(np.array([0.2, 0.5, 0.3]), LABELS)
    assert (answer.text, answer.labels) == ("b", ("b",))
    assert answer.scores == {"a": 0.2, "b": 0.5, "c": 0.3}
    assert choose(np.array([0.4, 0.4, 0.2]), LABELS).text == "a"


def test_several_labels() -> None:
    answer = choose(np.array([0.7, 0.4, 0.6]), LABELS, multi_label=True)
    assert (answer.text, answer.labels) == ("a, c", ("a", "c"))
    assert choose(np.array([0.1, 0.1, 0.1]), LABELS, multi_label=True).labels == ()
    assert choose(np.array([0.1, 0.3, 0.1]), LABELS, multi_label=True, threshold=0.2).labels == ("b",)


def test_softmax_does_not_overflow() -> None:
    assert np.allclose(softmax(np.array([[1000.0, 1000.0], [-1000.0, 0.0]])), [[0.5, 0.5], [0.0, 1.0]])
