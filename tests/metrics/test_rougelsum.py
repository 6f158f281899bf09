"""Sentence by sentence: order between lines does not count, order within one does."""

import pytest

from dragoman.core.types import Answer
from dragoman.metrics.rougel import Rougel
from dragoman.metrics.rougelsum import Rougelsum


def test_the_order_of_lines_does_not_count() -> None:
    reference = ("the dog ran\nthe cat sat",)
    answer = Answer("the cat sat\nthe dog ran")
    assert Rougelsum().measure(answer, reference).tolist() == [1.0]
    assert Rougel().measure(answer, reference)[0] < 1.0


def test_on_one_line_it_is_rouge_l() -> None:
    answer, references = Answer("a man in the park plays"), ("the man plays in a park",)
    assert Rougelsum().measure(answer, references) == pytest.approx(Rougel().measure(answer, references))


def test_a_word_is_not_counted_twice() -> None:
    assert Rougelsum().measure(Answer("red"), ("red\nred",))[0] == pytest.approx(2 / 3)
