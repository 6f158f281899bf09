"""The step that has an answer criticised and rewritten before anybody sees it."""

from dataclasses import replace

from dragoman.app.constitution import default_constitution
from dragoman.app.steps.revise import REPEATED, Revise, revised
from dragoman.app.turn import Turn
from dragoman.core.sampling import Sampling
from dragoman.core.types import Answer, Message
from tests.app.planted import Planted, answer_to, zaps


def asked(count: int) -> list[Turn]:
    return [Turn(f"q{row}", answer=Answer(answer_to(f"q{row}"), finish="stop")) for row in range(count)]


def test_an_answer_is_rewritten_round_by_round() -> None:
    turns = asked(20)
    found = Revise(rounds=2)(turns, Planted())
    for old, new in zip(turns, found, strict=True):
        assert zaps(new.answer.text) == max(0, zaps(old.answer.text) - 2)
        assert new.answer.text.endswith(f"the answer to {old.question}")
        first, second = (name.removeprefix("revise: ") for name in new.trace)
        assert first != second
    assert len({one.trace[0] for one in found}) > 4
    assert Revise(rounds=2)(turns[3:4], Planted()) == found[3:4]  # whatever else is in the batch
    assert Revise(rounds=2, seed=1)(turns, Planted()) != found


def test_a_revision_that_says_nothing_leaves_the_answer() -> None:
    class Mute(Planted):
        def say(self, said: list[tuple[str, str]], seed: int = 0) -> str:
            return " " if "Revision request:" in said[-1][1] else "It is bad."

    turns = asked(2)
    assert Revise()(turns, Mute()) == turns


def test_what_came_of_a_revision_is_told() -> None:
    class Echo(Planted):
        def say(self, said: list[tuple[str, str]], seed: int = 0) -> str:
            return super().say(said, seed) if "Revision request:" not in said[-1][1] else said[-2][1]

    class Silent(Planted):
        def say(self, said: list[tuple[str, str]], seed: int = 0) -> str:
            return ""

    turns, rules, how = asked(2), default_constitution(), Sampling()
    echoed = revised(turns, Planted(), Echo(), rules, 0, 0, how)
    assert [one.answer.finish for one in echoed] == [REPEATED, REPEATED]
    mute = Planted()
    dumb = revised(turns, Silent(), mute, rules, 0, 0, how)
    assert [one.answer.finish for one in dumb] == ["refused", "refused"]
    assert mute.asked == []  # without a critique nothing is rewritten
    before = replace(turns[0], messages=(Message("user", "hi"), Message("assistant", "hello")))
    assert revised([before], Planted(), Planted(), rules, 0, 0, how)[0].messages == before.messages
