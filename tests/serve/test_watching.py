"""The watching page: who gets in, how often it looks, and that no string on it becomes markup."""

import asyncio
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from dragoman.core.errors import UserError
from dragoman.serve.local_page import KINDS
from dragoman.serve.page import POLICY
from dragoman.serve.watching import PARTS, Look, build_watch

FOLDER = files("dragoman.serve").joinpath("watch_page")
# What is on the page may turn no string into code or markup, and ask nobody but its own server.
FORBIDDEN = (
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|createContextualFragment|DOMParser|setHTML",
    r"\beval\s*\(|new Function|setTimeout\(\s*[\"'`]|importScripts|import\(",
    r"WebSocket|EventSource|sendBeacon|new Image|style=|onclick=|https?://",
)


@dataclass
class Counted:
    """Something to look at that counts its looks; a mistake where it is told so."""

    looks: int = 0
    wrong: str = ""

    def look(self) -> Look:
        """Count."""
        self.looks += 1
        if self.wrong == "user":
            raise UserError("there is no journal", "give its path")
        if self.wrong:
            raise ValueError("a secret")
        return Look({"alerts": [], "looks": self.looks}, {"course-wide": "<svg/>"})


def get(app: FastAPI, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """One request."""

    async def ask() -> httpx.Response:
        where = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=where, base_url="http://127.0.0.1:8011") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


def test_the_parts_their_policy_and_one_look_for_many() -> None:
    source = Counted()
    app = build_watch(source)
    for path, name in PARTS.items():
        part = get(app, path)
        kind = KINDS[name.rpartition(".")[2]]
        assert part.status_code == 200 and part.headers["content-type"] == f"{kind}; charset=utf-8"
        assert part.headers["content-security-policy"] == POLICY
    assert source.looks == 0
    assert get(app, "/view").json()["looks"] == get(app, "/view").json()["looks"] == 1
    assert get(app, "/chart/course-wide").headers["content-type"] == "image/svg+xml"
    assert get(app, "/chart/other").status_code == get(app, "/nowhere").status_code == 404
    again = build_watch(source, 0)
    assert get(again, "/view").json()["looks"] == 2 and get(again, "/view").json()["looks"] == 3


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"sec-fetch-site": "cross-site"}])
def test_nobody_else_gets_in(headers: dict[str, str]) -> None:
    source = Counted()
    assert get(build_watch(source), "/view", headers).status_code == 403 and source.looks == 0


def test_mistakes_are_said_and_bugs_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    said: Any = get(build_watch(Counted(wrong="user")), "/view")
    assert said.status_code == 400 and said.json()["error"]["message"] == "there is no journal: give its path"
    broken = get(build_watch(Counted(wrong="bug")), "/view")
    assert broken.status_code == 500 and "secret" not in broken.text
    assert "ValueError" in capsys.readouterr().err


def test_the_list_is_what_is_in_the_folder_and_none_of_it_makes_markup() -> None:
    assert sorted(PARTS.values()) == sorted(one.name for one in FOLDER.iterdir())
    for name in PARTS.values():
        text = FOLDER.joinpath(name).read_text(encoding="utf-8")
        assert not [shape for shape in FORBIDDEN if re.search(shape, text)], name
