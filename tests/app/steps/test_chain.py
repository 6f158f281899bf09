"""Steps in a row are one step."""

from collections.abc import Sequence
from dataclasses import replace

from dragoman.app.assistant import NoModel
from dragoman.app.refusal import refused
from dragoman.app.steps.chain import Chain
from dragoman.app.steps.instruct import Instruct
from dragoman.app.turn import Turn
from dragoman.core.doors import LM


def picky(turns: Sequence[Turn], lm: LM) -> list[Turn]:
    return [refused(turn, "picky") if "b" in turn.question else turn for turn in turns]


def test_every_turn_goes_through_all_of_them_until_it_is_refused() -> None:
    first, second = Chain((Instruct("Do: {text}"), picky, Instruct("And {text}")))([Turn("a"), Turn("b")], NoModel())
    assert first.question == "And Do: a" and not first.refused
    assert second.question == "Do: b" and second.refused and second.trace[-1] == "picky"


def test_no_steps_change_nothing() -> None:
    turn = replace(Turn("a"), trace=("tidy",))
    assert Chain()([turn], NoModel()) == [turn]
