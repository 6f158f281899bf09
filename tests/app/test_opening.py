"""What is streamed is what would have been answered whole."""

from collections.abc import Sequence
from dataclasses import replace

from dragoman.app.assistant import Assistant
from dragoman.app.opening import open_answer, streams
from dragoman.app.steps.ground import Ground
from dragoman.app.steps.instruct import Instruct
from dragoman.app.steps.tidy import Tidy
from dragoman.app.steps.write import Write
from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.core.types import Message
from dragoman.models.fake import FakeLM

PROMPT = (Message("system", "be brief"), Message("user", "  what is it? "))


def refuse(turns: Sequence[Turn], lm: LM) -> list[Turn]:
    return [replace(turn, refused=True) for turn in turns]


def test_the_turn_is_as_the_writing_finds_it() -> None:
    assistant = Assistant(FakeLM(), (Tidy(), Instruct("answer in one word"), Write(max_tokens=7, stop=("x",))))
    opening = open_answer(assistant, PROMPT)
    assert opening is not None
    (whole,) = assistant.answer([PROMPT])
    assert opening.turn.prompt == whole.prompt
    assert "answer in one word" in "".join(message.content for message in opening.turn.prompt)
    assert (opening.how.max_tokens, opening.how.stop) == (7, ("x",))


def test_where_steps_come_behind_the_writing_the_answer_comes_whole() -> None:
    for steps in ((Write(), Ground()), (), (Tidy(),), (Write(beams=2),)):
        assistant = Assistant(FakeLM(), steps)
        assert not streams(assistant)
        assert open_answer(assistant, PROMPT) is None


def test_one_that_is_refused_in_front_says_so() -> None:
    opening = open_answer(Assistant(FakeLM(), (refuse, Write())), PROMPT)
    assert opening is not None
    assert opening.turn.refused
