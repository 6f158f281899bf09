"""How long answers are."""

import numpy as np

from dragoman.core.types import Answer
from dragoman.metrics.answer_length import AnswerLength


def test_characters_or_words() -> None:
    answers = [Answer("one two"), Answer("")]
    for metric, expected in ((AnswerLength(), 3.5), (AnswerLength("words"), 1.0)):
        assert metric.combine(np.stack([metric.measure(answer, ()) for answer in answers])) == expected
