"""The step that lets a model write the answer."""

import pytest

from dragoman.app.steps.write import Write
from dragoman.app.turn import Turn
from dragoman.core.doors import Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion
from dragoman.core.types import Message
from tests.app.scribe import Scribe


def test_the_answer_says_whether_it_ended_and_how_long_it_is() -> None:
    lm = Scribe({"long": Completion(" and so on ", 256, "length")})
    turns = Write()([Turn("short", (Message("system", "go"),), trace=("tidy",)), Turn("long")], lm)
    assert [(one.answer.text, one.answer.finish, one.answer.tokens) for one in turns] == [
        ("short", "stop", 3),
        ("and so on", "length", 256),
    ]
    assert turns[0].trace == ("tidy", "write")
    assert lm.asked[0][0] == (Message("system", "go"), Message("user", "short"))


def test_it_is_greedy_unless_told_otherwise() -> None:
    lm = Scribe()
    Write()([Turn("a")], lm)
    Write(max_tokens=9, temperature=0.5, stop=("\n",))([Turn("a")], lm)
    Write(beams=4)([Turn("a")], lm)
    plain, warm, wide = (how for _, how in lm.asked)
    assert (plain.temperature, plain.beams, plain.max_tokens) == (0.0, 1, 256)
    assert (warm.temperature, warm.stop, warm.max_tokens, wide.beams) == (0.5, ("\n",), 9, 4)


class Short(Scribe):
    """A model that reads ten letters."""

    note, chat, longest = "", True, 10

    def ids(self, prompt: Prompt) -> list[int]:
        """A letter is a token. Raises UserError where the template refuses the dialogue."""
        if prompt[0].role == "system":
            raise UserError("the template refuses a system message", "choose another")
        return [ord(letter) for letter in prompt[-1].content]

    def check(self, prompt: Prompt) -> None:
        """Raises UserError at more than ten."""
        if len(self.ids(prompt)) > self.longest:
            raise UserError("too long", "shorten it")


def test_one_prompt_that_is_too_long_costs_its_own_answer_alone() -> None:
    lm = Short()
    turns = Write()([Turn("one"), Turn("far too long to be read"), Turn("two")], lm)
    assert [(one.answer.text, one.answer.finish) for one in turns] == [
        ("one", "stop"),
        ("", "refused"),
        ("two", "stop"),
    ]
    assert [prompt[-1].content for prompt, _ in lm.asked] == ["one", "two"]


def test_a_template_that_refuses_is_told_and_not_counted() -> None:
    with pytest.raises(UserError, match="refuses a system message"):
        Write()([Turn("one", (Message("system", "go"),))], Short())
