"""The step that lets the model choose among labels."""

from dragoman.app.steps.classify import Classify
from dragoman.app.turn import Turn
from tests.app.fakes import ReadingModel


def test_one_label_a_text() -> None:
    turns = Classify(("cat", "dog", "cow"))([Turn("a dog"), Turn("a cow")], ReadingModel())
    assert [turn.answer.text for turn in turns] == ["dog", "cow"]
    assert abs(sum(turns[0].answer.scores.values()) - 1) < 1e-12
    assert abs(turns[0].answer.scores["dog"] - 9 / 11) < 1e-12


def test_several_labels_a_text() -> None:
    step = Classify(("cat", "dog", "cow"), multi_label=True)
    turn = step([Turn("a cat and a dog")], ReadingModel(independent=True))[0]
    assert turn.answer.labels == ("cat", "dog")
    assert abs(turn.answer.scores["cow"] - 0.1) < 1e-12
    assert Classify(("cat",), True, 0.95)([Turn("cat")], ReadingModel(independent=True))[0].answer.labels == ()
