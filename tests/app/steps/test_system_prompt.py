"""The system's message comes first, and every answer says which version of it was told."""

import pytest

from dragoman.app.assistant import Assistant
from dragoman.app.prompts import PromptFile
from dragoman.app.steps.system_prompt import SystemPrompt
from dragoman.app.steps.write import Write
from dragoman.app.turn import Turn
from dragoman.core.errors import UserError
from dragoman.core.types import Message
from tests.app.scribe import Scribe

PROMPT = PromptFile("guide", "You know {topic}.")


def test_it_is_told_first_and_named_in_the_answer() -> None:
    model = Scribe()
    step = SystemPrompt(PROMPT, {"topic": "birds"})
    talk = (Message("system", "Be brief."), Message("user", "hi"), Message("assistant", "ho"), Message("user", "so?"))
    plain, dialogue = Assistant(model, (step, Write())).answer(["What flies?", talk])
    assert model.asked[0][0] == (Message("system", "You know birds."), Message("user", "What flies?"))
    assert model.asked[1][0] == (Message("system", "You know birds.\n\nBe brief."), *talk[1:])
    assert plain.trace == dialogue.trace == (PROMPT.mark, "write")


def test_without_a_prompt_nothing_is_said() -> None:
    assert SystemPrompt()([Turn("a")], Scribe()) == [Turn("a")]


def test_a_slot_without_a_value_is_told_before_the_model_is_asked() -> None:
    model = Scribe()
    with pytest.raises(UserError, match="topic"):
        Assistant(model, (SystemPrompt(PROMPT), Write())).answer(["a"])
    assert not model.asked
