"""What the API says of itself holds: every field it tells is taken, none is kept back, and no request breaks it."""

import collections
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from dragoman.serve.api import ACCESS
from dragoman.serve.describe import described
from dragoman.serve.drawing import IGNORED
from dragoman.serve.fields import Fields
from dragoman.serve.limits import Limits
from dragoman.serve.page import PAGE, PAGE_FILE
from tests.serve.conftest import Running, launched
from tests.serve.writing import writing_context

CASES = 8
"""Requests for each route, valid and not; 150 of them found nothing more."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("described")
    running = launched(writing_context(home / "tiny", journal=home / "journal.sqlite"))
    yield running
    running.stop()


def test_every_route_but_the_page_is_told() -> None:
    assert set(described(Limits(), ["x"])["paths"]) == set(ACCESS) - {PAGE, PAGE_FILE}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_the_fields_that_are_told_are_those_that_are_taken(
    server: Running, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    taken: set[str] = set()
    done = Fields.done

    def note(self: Fields, ignored: Any = ()) -> None:
        if not self._where:
            taken.update(self._taken)
        done(self, ignored)

    monkeypatch.setattr(Fields, "done", note)
    given = httpx.post(
        server.url + path,
        json={"prompt": "a"} if "chat" not in path else {"messages": [{"role": "user", "content": "a"}]},
        trust_env=False,
        timeout=20,
    )
    assert given.status_code == 200
    told = described(Limits(), ["x"])["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(told["properties"]) - set(IGNORED) == taken


def test_no_request_breaks_it(server: Running) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings

    told = httpx.get(f"{server.url}/openapi.json", trust_env=False).json()
    seen: collections.Counter[int] = collections.Counter()
    calm = settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    def tried(case: Any) -> None:
        answer = case.call(base_url=server.url, timeout=30)
        seen[answer.status_code] += 1
        assert answer.status_code < 500, case.body
        assert str(answer.status_code) in case.operation.definition.raw["responses"]
        if answer.status_code >= 400:
            assert set(json.loads(answer.text)) == {"error"}
        assert answer.headers["x-request-id"][0].startswith("req-")

    for found in schemathesis.openapi.from_dict(told).get_all_operations():
        operation = found.ok()
        if operation.method not in ("post", "put"):
            continue
        for mode in schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE:
            calm(given(case=operation.as_strategy(generation_mode=mode))(tried))()
    assert seen[200] > 10
    assert seen[400] > 60
