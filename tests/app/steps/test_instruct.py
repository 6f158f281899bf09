"""The step that tells a model what to do with a text."""

import pytest

from dragoman.app.assistant import NoModel
from dragoman.app.steps.instruct import Instruct, instructed
from dragoman.app.turn import Turn
from dragoman.core.types import Example, Message
from dragoman.stages.writing import taught


@pytest.mark.parametrize(("instruction", "wanted"), [
    ("", "a text"),
    ("Sum it up.", "Sum it up.\n\na text"),
    ("Sum up: {text}\nShort.", "Sum up: a text\nShort."),
    ("{text} {text}", "a text a text"),
    ("{other} {", "{other} {\n\na text"),
])  # fmt: skip
def test_the_instruction_stands_in_front_of_the_text_or_around_it(instruction: str, wanted: str) -> None:
    assert instructed("a text", instruction) == wanted
    before = (Message("system", "be kind"),)
    [turn] = Instruct(instruction)([Turn("a text", before)], NoModel())
    assert (turn.question, turn.messages) == (wanted, before)


def test_a_text_that_holds_the_mark_is_left_as_it_is() -> None:
    assert instructed("a {text} b", "Say: {text}") == "Say: a {text} b"


def test_training_reads_the_very_words_that_serving_does() -> None:
    prompt = (Message("user", "one"), Message("assistant", "two"), Message("user", "three"))
    [example] = taught([Example(prompt, ("four",))], "Go on.")
    [turn] = Instruct("Go on.")([Turn.of(prompt)], NoModel())
    assert turn.prompt == example.prompt
