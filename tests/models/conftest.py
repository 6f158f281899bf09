"""The stub of an engine, which every test of this room may ask for."""

from collections.abc import Iterator

import pytest

from tests.models.engine import KEY, Engine


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    stub = Engine()
    yield stub
    stub.release.set()
    stub.server.shutdown()
    stub.server.server_close()
