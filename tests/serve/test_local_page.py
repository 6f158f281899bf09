"""A page for this machine: its files under its policy, other names and other pages kept out, nothing raised shown."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from dragoman.core.errors import Busy
from dragoman.serve.limits import Limits
from dragoman.serve.local_page import local_page, open_local
from dragoman.serve.page import POLICY
from dragoman.serve.refused import Refused
from dragoman.serve.run import listen


def app() -> FastAPI:
    async def broken() -> None:
        raise ValueError("a secret")

    async def refused() -> None:
        raise Refused(409, "not now")

    made = local_page("rating_page", {"/": "page.html", "/page.js": "page.js"})
    made.add_api_route("/broken", broken)
    made.add_api_route("/refused", refused)
    return made


def get(path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    async def ask() -> httpx.Response:
        where = httpx.ASGITransport(app=app())
        async with httpx.AsyncClient(transport=where, base_url="http://127.0.0.1:8010") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/", 200, "text/html; charset=utf-8"),
        ("/page.js", 200, "text/javascript; charset=utf-8"),
        ("/page.css", 404, "application/json"),
        ("/refused", 409, "application/json"),
        ("/broken", 500, "application/json"),
    ],
)
def test_every_answer_carries_the_policy(path: str, status: int, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = get(path)
    assert (given.status_code, given.headers["content-type"]) == (status, kind)
    assert given.headers["content-security-policy"] == POLICY
    assert given.headers["cache-control"] == "no-store"
    assert "a secret" not in given.text
    assert ("ValueError" in capsys.readouterr().err) is (status == 500)


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "http://127.0.0.1:9999"}],
    ids=str,
)
def test_other_names_and_other_pages_stay_outside(headers: dict[str, str]) -> None:
    assert get("/", headers).status_code == 403
    assert get("/page.js", {"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert get("/", {"Sec-Fetch-Site": "cross-site"}).status_code == 200  # a link may lead here


def test_a_port_that_is_taken_is_told() -> None:
    with listen("127.0.0.1", 0) as held, pytest.raises(Busy):
        open_local(app(), Limits(), held.getsockname()[1], "at {url}", "over")
