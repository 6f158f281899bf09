"""The step that shows a model the nearest solved examples."""

import numpy as np
import pytest

from dragoman.app.assistant import NoModel
from dragoman.app.ngrams import Ngrams
from dragoman.app.steps.demonstrate import Demonstrate
from dragoman.app.turn import Turn
from dragoman.core.types import Message
from tests.app.fakes import WordEmbedder

EMBEDDER = WordEmbedder(("barks", "purrs", "bone", "milk"))
QUESTIONS = ("it barks", "a bone", "it purrs", "some milk", "barks bone")
STEP = Demonstrate(EMBEDDER, QUESTIONS, tuple(f"answer {number}" for number in range(5)), shots=2)


def shown(step: Demonstrate, question: str) -> list[str]:
    [turn] = step([Turn(question, (Message("system", "s"),))], NoModel())
    assert turn.messages[0] == Message("system", "s") and turn.question == question
    assert [message.role for message in turn.messages[1:]] == ["user", "assistant"] * (len(turn.messages) // 2)
    pairs = list(zip(turn.messages[1::2], turn.messages[2::2], strict=True))
    assert all(step.answers[step.questions.index(one.content)] == other.content for one, other in pairs)
    return [one.content for one, _ in pairs]


def test_the_nearest_stand_last() -> None:
    assert shown(STEP, "who barks with a bone")[-1] == "barks bone"
    assert shown(STEP, "milk milk purrs") == ["it purrs", "some milk"]


def test_a_question_is_never_shown_its_own_answer() -> None:
    for question in QUESTIONS:
        assert question not in shown(Demonstrate(EMBEDDER, QUESTIONS, STEP.answers, shots=99), f" {question}\n")
    twice = Demonstrate(EMBEDDER, (*QUESTIONS, "it barks "), (*STEP.answers, "again"), shots=99)
    assert len(shown(twice, "it barks")) == 4


def test_the_farthest_go_where_there_is_no_room() -> None:
    room = len("some milk") + len("answer 3")
    assert shown(Demonstrate(EMBEDDER, QUESTIONS, STEP.answers, most=room), "milk") == ["some milk"]
    assert shown(Demonstrate(EMBEDDER, QUESTIONS, STEP.answers, most=room - 1), "milk") == []


def test_no_examples_change_nothing() -> None:
    turns = [Turn("a")]
    assert Demonstrate(EMBEDDER)(turns, NoModel()) == turns
    assert Demonstrate(EMBEDDER, QUESTIONS, STEP.answers, shots=0)(turns, NoModel()) == turns
    assert Demonstrate(Ngrams(), QUESTIONS, STEP.answers)([], NoModel()) == []


def test_vectors_that_were_kept_give_the_same() -> None:
    letters = Ngrams()
    fresh = Demonstrate(letters, QUESTIONS, STEP.answers)
    kept = Demonstrate(letters, QUESTIONS, STEP.answers, letters.embed(QUESTIONS))
    assert fresh([Turn("a bone")], NoModel()) == kept([Turn("a bone")], NoModel())
    assert np.array_equal(fresh.known, kept.known)


def test_what_does_not_pair_up_is_refused() -> None:
    with pytest.raises(ValueError, match="5 questions but 1 answers"):
        Demonstrate(EMBEDDER, QUESTIONS, ("one",))
