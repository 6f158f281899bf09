"""A student's side of distillation: its examples hold the teacher's answers by now, and are learnt like any others."""

from dataclasses import replace
from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.train.doors import OBJECTIVES
from dragoman.train.fitting import Lesson
from dragoman.train.objectives.distill_text import DistillText
from dragoman.train.objectives.seq2seq import Seq2seq
from dragoman.train.objectives.sft import Sft
from tests.train.lessons import HOW, begun, kit, lessons, model, steps, words


@pytest.mark.parametrize(("of", "plain"), [("sft", Sft()), ("seq2seq", Seq2seq())])
def test_it_learns_as_the_objective_it_stands_on(of: Any, plain: Any) -> None:
    how = replace(HOW, steps=8)
    found, wanted = steps(begun(DistillText(of=of), how)), steps(begun(plain, how))
    assert [step.loss for step in found] == [step.loss for step in wanted]
    assert found[-1].loss < 0.9 * found[0].loss


def test_of_a_dialogue_the_last_answer_alone_is_the_teachers() -> None:
    dialogue = Example((Message("user", "a"), Message("assistant", "b"), Message("user", "c")), ("dove",))
    made = DistillText().encode(model(), Lesson([dialogue]), kit())
    assert words().decode([label for label in made.examples[0].labels.tolist() if label >= 0]) == "dove"


def test_how_the_teacher_is_asked() -> None:
    assert DistillText.needs == ("teacher",)
    how = DistillText(samples=4, temperature=0.7, max_tokens=99).sampling
    assert (how.n, how.temperature, how.max_tokens, how.beams) == (4, 0.7, 99, 1)
    assert DistillText(samples=3, beams=5).sampling.beams == 5


def test_what_is_refused() -> None:
    for given, what in (
        ({"samples": 4}, "4 greedy answers of a teacher"),
        ({"samples": 4, "beams": 2}, "4 greedy answers"),
        ({"beams": 0}, "beams"),
        ({"neftune": -1.0}, "neftune"),
        ({"smoothing": 0.1}, "sft has no setting 'smoothing'"),
    ):
        with pytest.raises(UserError, match=what):
            OBJECTIVES.make("distill_text", given)
    with pytest.raises(UserError, match="of kind encoder-decoder"):
        DistillText().encode(model("seq2seq"), Lesson(lessons(3)), kit())
    assert (DistillText().kind, DistillText(of="seq2seq").kind) == ("decoder", "encoder-decoder")
