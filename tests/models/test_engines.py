"""Which engine a model gets."""

from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.models.by_turns import ByTurns
from dragoman.models.engine import LocalEngine
from dragoman.models.engines import engine_of, open_engine
from dragoman.models.fake import FakeLM
from dragoman.models.remote_engine import RemoteEngine
from tests.nn.tiny_lm import folder_of


def test_a_model_gets_the_engine_it_can_have(tmp_path: Path) -> None:
    llama, t5 = folder_of("llama", tmp_path / "llama"), folder_of("t5", tmp_path / "t5")
    engine, lm = open_engine(llama, device="cpu", rows=3)
    assert isinstance(engine, LocalEngine)
    assert (engine.rows, engine.longest) == (3, lm.longest)
    assert isinstance(open_engine(llama, device="cpu", kind="turns")[0], ByTurns)
    assert isinstance(open_engine(t5, device="cpu")[0], ByTurns)
    assert isinstance(engine_of(FakeLM(), rows=2), ByTurns)
    with pytest.raises(UserError, match="does not share"):
        open_engine(t5, device="cpu", kind="ours")
    with pytest.raises(UserError, match="shares its steps"):
        engine_of(FakeLM(), "ours")


def test_a_model_behind_an_address_keeps_its_own_engine() -> None:
    engine, lm = open_engine("openai:http://127.0.0.1:1/v1#m", rows=5)
    assert isinstance(engine, RemoteEngine)
    assert (engine.rows, engine.chat) == (5, lm.chat)
    engine.close()
    assert isinstance(engine_of(lm, "turns"), ByTurns)
