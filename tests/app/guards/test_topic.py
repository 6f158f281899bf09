"""Questions that an assistant is not for are told from those it is for."""

import pytest

from dragoman.app.guards.topic import Topic
from dragoman.core.errors import UserError
from tests.app.fakes import WordEmbedder

EMBEDDER = WordEmbedder(("book", "loan", "shelf", "weather", "football", "cook"))


def test_the_nearest_text_counts() -> None:
    topic = Topic(EMBEDDER, ("book shelf", " ", "loan"), 0.5)
    near = topic.nearness(["a loan", "a book", "weather"])
    assert near[0] > near[1] > 0.5 > near[2]
    assert topic.refuses(["a loan", "weather football"]) == [
        "",
        f"topic: {topic.nearness(['weather football'])[0]:.3f} is below 0.500",
    ]
    assert topic.refuses([]) == []


def test_the_threshold_is_chosen_on_questions_of_both_kinds() -> None:
    within = [f"question {number} on a {word}" for number in range(5) for word in ("book", "loan", "shelf")]
    outside = [f"question {number} on {word}" for number in range(5) for word in ("weather", "football", "cook")]
    topic, found = Topic(EMBEDDER, ("book", "loan", "shelf")).calibrated(within, outside)
    assert found.false_refusals.value == found.false_answers.value == 0.0
    assert not any(topic.refuses(within)) and all(topic.refuses(outside))
    with pytest.raises(UserError, match="from 2 questions"):
        topic.calibrated(within[:2], outside)


def test_nothing_to_be_near_to_is_a_mistake() -> None:
    with pytest.raises(UserError, match="what the assistant is for"):
        Topic(EMBEDDER, ("",)).nearness(["a"])
