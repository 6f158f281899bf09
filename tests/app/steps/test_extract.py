"""The step that answers from a context: the model's words, and the context they stand in as their source."""

from dragoman.app.steps.extract import Extract
from dragoman.app.turn import Turn
from tests.app.steps.test_tag import Saying


def test_the_answer_and_its_source() -> None:
    question = "The cat sat.\n\nWho sat?"
    (turn,) = Extract()([Turn(question)], Saying("The cat"))
    assert turn.answer.text == "The cat"
    assert turn.sources == ("The cat sat.",)
    assert turn.trace == ("extract",)
    assert Extract()([Turn(question)], Saying("A dog"))[0].sources == ()
    assert Extract()([Turn(question)], Saying(""))[0].sources == ()
