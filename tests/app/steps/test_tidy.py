"""The tidy step changes what cleaning changes, and nothing else."""

from dragoman.app.assistant import Assistant, NoModel
from dragoman.app.steps.tidy import Tidy
from dragoman.data.clean import clean


def test_a_served_text_is_written_as_a_cleaned_one() -> None:
    texts = ["  cafe\u0301\n", "plain", "", "\ttab and  inner  spaces "]
    turns = Assistant(NoModel(), (Tidy(),)).answer(texts)
    assert [turn.question for turn in turns] == [clean(text).text for text in texts]


def test_a_tidy_text_stays_the_same() -> None:
    (turn,) = Assistant(NoModel(), (Tidy(),)).answer(["already tidy"])
    assert turn.question == "already tidy"
