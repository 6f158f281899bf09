"""The step that reads only the descriptions of the labels."""

import pytest

from dragoman.app.assistant import NoModel
from dragoman.app.steps.zero_shot import ZeroShot
from dragoman.app.turn import Turn
from tests.app.fakes import WordEmbedder

EMBEDDER = WordEmbedder(("barks", "purrs", "bone", "milk"))
STEP = ZeroShot(EMBEDDER, ("dog", "cat"), ("it barks and wants a bone", "it purrs and wants milk"))


def test_the_nearest_description_wins() -> None:
    turns = STEP([Turn("who barks"), Turn("who purrs")], NoModel())
    assert [turn.answer.text for turn in turns] == ["dog", "cat"]
    assert abs(sum(turns[0].answer.scores.values()) - 1) < 1e-12
    assert turns[0].answer.scores["dog"] > 0.99
    assert turns[0].trace == ("zero_shot",)


def test_a_higher_temperature_is_less_sure() -> None:
    calm = ZeroShot(EMBEDDER, STEP.labels, STEP.descriptions, temperature=1.0)
    assert 0.5 < calm([Turn("who barks")], NoModel())[0].answer.scores["dog"] < 0.9


def test_several_labels() -> None:
    step = ZeroShot(EMBEDDER, STEP.labels, STEP.descriptions, multi_label=True)
    assert step([Turn("who barks")], NoModel())[0].answer.labels == ("dog",)


def test_each_label_needs_its_description() -> None:
    with pytest.raises(ValueError, match="2 labels but 1 descriptions"):
        ZeroShot(EMBEDDER, ("dog", "cat"), ("it barks",))
