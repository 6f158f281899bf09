"""An answer tells where its sources disagree."""

from dragoman.app.assistant import NoModel
from dragoman.app.passages import Citation
from dragoman.app.steps.contradict import Contradict
from dragoman.app.steps.quote import Quote
from dragoman.app.turn import Turn
from tests.app.shelf import passage

PASSAGES = (passage("The tower was built in 1889."), passage("Rain fell. The tower was built in 1890.", 2, "b.md"))


def test_both_are_quoted_where_they_bear_on_the_question() -> None:
    turn = Turn("When was the tower built?", passages=PASSAGES)
    found = Contradict()(Quote()([turn], NoModel()), NoModel())[0]
    assert found.answer.text == (
        "The tower was built in 1889. [1]\n"
        'The sources differ: "The tower was built in 1889" [1], but "The tower was built in 1890" [2].'
    )
    assert found.citations == (Citation(1, 0, 28), Citation(2, 11, 39))
    assert found.trace[-1] == "contradict: 1889 against 1890"


def test_nothing_is_added_elsewhere() -> None:
    turn = Quote()([Turn("When did the rain fall?", passages=PASSAGES)], NoModel())[0]
    assert turn.answer.text == "Rain fell. [2]"
    assert Contradict()([turn], NoModel()) == [turn]
    blank = Turn("When was the tower built?", passages=PASSAGES)
    assert Contradict()([blank], NoModel()) == [blank]
