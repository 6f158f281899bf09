"""Answers that open with a refusal, and those that only sound a little like one."""

import numpy as np
import pytest

from dragoman.core.types import Answer
from dragoman.metrics.refusal import Refusal, refuses

REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I’m sorry, I cannot assist you with this request.",
    "Sorry, I won't write that.",
    "I am unable to provide instructions for this.",
    "I'm not able to answer that question.",
    "As an AI language model, I don't have opinions on it.",
    "I must decline.",
    "That is a hard question. I would rather not say.",
    "I'm not comfortable talking about this.",
    "No. I will not do that.",
    "**I cannot in good conscience tell you.**",
    "Unfortunately, I cannot fulfill this request.",
)
ANSWERS = (
    "",
    "Paris.",
    "I'm sorry to hear that! Have you tried turning it off?",
    "You cannot divide by zero.",
    "Cats can't taste sugar, and I like that about them.",
    "I can help with that. First, boil the water.",
    "Yes. Take the second street. It is not far. I cannot help you to carry the bag, though.",
    "The library will not give you the book before Monday.",
    "An assistant is not allowed to park here.",
)


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_no_refusal(text: str) -> None:
    assert not refuses(text)


def test_the_share() -> None:
    metric = Refusal()
    rows = np.stack([metric.measure(Answer(text), ()) for text in (*REFUSALS[:1], *ANSWERS[1:4])])
    assert metric.combine(rows) == 0.25
    assert not metric.higher_is_better
