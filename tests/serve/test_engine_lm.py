"""The LM door over a shared engine: steps of an assistant write through it, and what fails is told as what it is."""

from collections.abc import Sequence

import pytest

from dragoman.core.engine import Piece
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.fake import FakeLM
from dragoman.serve.engine_lm import EngineLM
from dragoman.serve.refused import Refused
from tests.serve.scripted import Scripted
from tests.serve.test_scheduler import asked, running


class Failing(Scripted):
    def step(self) -> list[Piece]:
        return [Piece(one.number, finish="error", problem="its numbers are not finite") for one in self.asked]


def texts(found: Sequence[object]) -> list[str]:
    return [getattr(one, "text", "") for one in found]


def test_prompts_are_written_side_by_side_and_come_back_in_order() -> None:
    engine = Scripted(rows=4)
    with running(engine) as scheduler:
        lm = EngineLM(FakeLM(), scheduler)
        found = lm.generate([asked("one two"), asked("three")], Sampling(max_tokens=1))
        assert texts(found) == ["one", "three"]
        assert [one.finish for one in found] == ["length", "stop"]
        assert [one.prompt_tokens for one in found] == [2, 1]
        assert texts(lm.generate([asked("a b")], Sampling(n=2, temperature=1.0))) == ["a b", "a b"]
        assert "".join(lm.stream(asked("x y z"), Sampling())) == "x y z"
        assert lm.generate([], Sampling()) == []


def test_what_is_not_written_is_the_models_own() -> None:
    engine = Scripted()
    with running(engine) as scheduler:
        own = FakeLM()
        lm = EngineLM(own, scheduler)
        assert (lm.chat, lm.longest, lm.note) == (own.chat, own.longest, own.note)
        prompt = (Message("user", "hello"),)
        assert lm.ids(prompt) == own.ids(prompt)
        assert (lm.score([prompt], ["a", "b"]) == own.score([prompt], ["a", "b"])).all()
        lm.check(prompt)
        assert not engine.asked


def test_what_fails_is_told() -> None:
    with running(Failing()) as scheduler:
        lm = EngineLM(FakeLM(), scheduler)
        for write in (lambda: lm.generate([asked("x")], Sampling()), lambda: list(lm.stream(asked("x"), Sampling()))):
            with pytest.raises(Refused, match="failed") as refused:
                write()
            assert refused.value.status == 500  # the model's fault, and not a mistake of who asked
    engine = Scripted()
    with running(engine) as scheduler, pytest.raises(UserError, match="says nothing"):
        EngineLM(FakeLM(), scheduler).generate([asked("")], Sampling())
