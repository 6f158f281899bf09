"""Feedback and conversations belong to who made them, and are there when they are acknowledged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dragoman.serve.journal_read import read
from dragoman.serve.keys import Keyring, make_key
from tests.serve.conftest import Running, launched
from tests.serve.writing import writing_context

CHAT = {"messages": [{"role": "user", "content": "the hill"}], "max_tokens": 3}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def keys(home: Path) -> dict[str, str]:
    made = {name: make_key(home / "keys.txt", name) for name in ("anna", "ben")}
    return {**made, "reader": make_key(home / "keys.txt", "reader", scopes=["models"])}


@pytest.fixture(scope="module")
def server(home: Path, keys: dict[str, str]) -> Iterator[Running]:
    context = writing_context(home / "tiny", journal=home / "journal.sqlite")
    context.keyring = Keyring(str(home / "keys.txt"))
    running = launched(context)
    yield running
    running.stop()


def call(server: Running, key: str, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.request(method, server.url + path, json=body, headers=headers, timeout=30, trust_env=False)


def test_feedback_is_kept_with_its_answer(server: Running, keys: dict[str, str]) -> None:
    name = call(server, keys["anna"], "POST", "/v1/chat/completions", CHAT).json()["id"]
    said = {"id": name, "thumb": "down", "correction": "better so", "comment": "too short"}
    given = call(server, keys["anna"], "POST", "/v1/feedback", said)
    assert given.json() == {"id": name, "stored": True}
    (kept,) = [one for one in read(server.app.state.context.journal.path) if one.entry.id.endswith(name[9:])]
    assert (kept.thumb, kept.correction, kept.comment) == (-1, "better so", "too short")
    assert call(server, keys["ben"], "POST", "/v1/feedback", said).status_code == 404
    for wrong in ({"id": name}, {"id": "x", "thumb": "sideways"}, {"id": name, "thumb": "up", "more": 1}):
        assert call(server, keys["anna"], "POST", "/v1/feedback", wrong).status_code == 400


def test_a_conversation_is_its_owners(server: Running, keys: dict[str, str]) -> None:
    path = "/v1/conversations/abcd-1234"
    talk = {"title": "a talk", "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}
    assert call(server, keys["anna"], "PUT", path, talk).status_code == 200
    found = call(server, keys["anna"], "GET", path).json()
    assert found["messages"] == talk["messages"]
    assert [one["title"] for one in call(server, keys["anna"], "GET", "/v1/conversations").json()["data"]] == ["a talk"]
    assert call(server, keys["ben"], "GET", path).status_code == 404
    assert call(server, keys["ben"], "DELETE", path).status_code == 404
    assert call(server, keys["ben"], "GET", "/v1/conversations").json()["data"] == []
    assert call(server, keys["anna"], "DELETE", path).json() == {"id": "abcd-1234", "deleted": True}
    assert call(server, keys["anna"], "GET", path).status_code == 404
    for wrong in ({"messages": "x"}, {"messages": [{"role": "nobody"}]}, {"messages": [3]}):
        assert call(server, keys["anna"], "PUT", path, wrong).status_code == 400
    assert call(server, keys["anna"], "GET", "/v1/conversations/short").status_code == 404


def test_a_key_opens_what_its_scopes_say(server: Running, keys: dict[str, str]) -> None:
    assert call(server, keys["reader"], "GET", "/v1/models").status_code == 200
    for method, path in (("POST", "/v1/chat/completions"), ("GET", "/metrics"), ("GET", "/v1/conversations/abcd-1234")):
        given = call(server, keys["reader"], method, path, CHAT if method == "POST" else None)
        assert given.status_code == 403
        assert given.json()["error"]["type"] == "permission_error"
