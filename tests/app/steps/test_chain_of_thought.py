"""The step that lets a model think aloud and takes the answer from behind what it thought."""

import pytest

from dragoman.app.steps.chain_of_thought import ChainOfThought, conclusion
from dragoman.app.turn import Turn
from dragoman.core.sampling import Completion
from dragoman.core.types import Message
from tests.app.scribe import Scribe

MARKS = ChainOfThought().marks


@pytest.mark.parametrize(("text", "wanted"), [
    ("2 and 2 make 4.\nAnswer: 4.", "4"),
    ("Answer: 3? No.\nAnswer: 4\nBecause it is.", "4"),
    ("First add.\nThe answer is 12.5.\n", "12.5"),
    ("5 * 4 = 20\n#### 20", "20"),
    ("I add them.\n\nSo, it is 7\n\n", "it is 7"),
    ("Therefore 9", "9"),
    ("Sofia came", "Sofia came"),
    ("Answer:\n  blue\nor not", "blue"),
    ("Answer:", ""),
    ("", ""),
    (" \n ", ""),
])  # fmt: skip
def test_what_is_concluded(text: str, wanted: str) -> None:
    assert conclusion(text, MARKS) == wanted


def test_the_request_is_put_to_the_question_and_the_thoughts_are_not_the_answer() -> None:
    step = ChainOfThought(max_tokens=99)
    asked = f"2 + 2?\n\n{step.request}"
    lm = Scribe({asked: Completion("2 and 2 make 4.\nAnswer: 4", 12, "length")})
    [turn] = step([Turn("2 + 2?", (Message("system", "s"),))], lm)
    assert (turn.answer.text, turn.answer.finish, turn.answer.tokens) == ("4", "length", 12)
    assert turn.trace == ("chain_of_thought",)
    assert lm.asked[0][0] == (Message("system", "s"), Message("user", asked))
    assert (lm.asked[0][1].max_tokens, lm.asked[0][1].temperature) == (99, 0.0)
