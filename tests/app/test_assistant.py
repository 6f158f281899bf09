"""An assistant moves turns through its steps in order, and what is refused goes no further."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dragoman.app.assistant import Assistant, NoModel
from dragoman.app.steps.classify import Classify
from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Answer, Message
from tests.app.fakes import ReadingModel


def guard(turns: Sequence[Turn], lm: LM) -> list[Turn]:
    return [replace(turn, refused="secret" in turn.question, trace=(*turn.trace, "guard")) for turn in turns]


def test_steps_run_in_order_and_answers_keep_theirs() -> None:
    assistant = Assistant(ReadingModel(), (guard, Classify(("cat", "dog"))))
    turns = assistant.answer(["a dog barks", "a secret cat", "a cat sleeps"])
    assert [turn.answer.text for turn in turns] == ["dog", "", "cat"]
    assert [turn.trace for turn in turns] == [("guard", "classify"), ("guard",), ("guard", "classify")]
    assert [turn.refused for turn in turns] == [False, True, False]


def test_no_questions_and_only_refused_ones() -> None:
    assistant = Assistant(ReadingModel(), (guard, Classify(("cat", "dog"))))
    assert assistant.answer([]) == []
    assert assistant.answer(["secret"])[0].answer == Answer("")


def test_one_by_one_is_as_all_at_once() -> None:
    assistant = Assistant(ReadingModel(), (Classify(("cat", "dog")),))
    questions = ["a dog", "a cat", "neither", "cat dog"]
    assert assistant.answer(questions) == [assistant.answer([question])[0] for question in questions]


def test_a_step_that_loses_a_turn_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="made 0 turns out of 1"):
        Assistant(ReadingModel(), (lambda turns, lm: [],)).answer(["a dog"])


def test_an_assistant_without_a_model_says_so() -> None:
    with pytest.raises(UserError, match="no language model"):
        Assistant(NoModel(), (Classify(("cat",)),)).answer(["a cat"])
    with pytest.raises(UserError, match="no language model"):
        NoModel().generate([], Sampling())
    with pytest.raises(UserError, match="no language model"):
        NoModel().stream((), Sampling())


def test_what_was_said_before_stands_before_the_question() -> None:
    turn = Turn("and now?", (Message("user", "before"), Message("assistant", "yes")))
    assert [message.content for message in turn.prompt] == ["before", "yes", "and now?"]
