"""The files of the chat page: all of them are there, each is sent with its policy, and none of them breaks it."""

import asyncio
import re
from importlib.resources import files

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from dragoman.serve.page import PAGE, PAGE_FILE, PARTS, POLICY, page_part, part_at, send_page

FOLDER = files("dragoman.serve").joinpath("page")
SCRIPTS = [name for name in PARTS if name.endswith(".js")]
# Ways to turn a string into code, markup or a request to another place: none of them is on the page.
FORBIDDEN = (
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|createContextualFragment|DOMParser|setHTML",
    r"\beval\s*\(|new Function|setTimeout\(\s*[\"'`]|importScripts|import\(",
    r"XMLHttpRequest|WebSocket|EventSource|sendBeacon|new Image|createElement\(\s*[\"'](?:script|img|iframe|link)",
    r"made\(\s*[\"'](?:script|img|iframe|object|embed|video|audio|link|base|form)[\"']",
    r"https?://(?!www\.w3\.org/2000/svg)[a-z0-9]",
)


def ask(path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """One request to the two routes."""
    app = Starlette(routes=[Route(PAGE, send_page), Route(PAGE_FILE, send_page)])

    async def once() -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
            return await client.request(method, path, headers=named)

    return asyncio.run(once())


def test_the_list_is_what_is_in_the_folder() -> None:
    assert sorted(PARTS) == sorted(one.name for one in FOLDER.iterdir())


@pytest.mark.parametrize("name", PARTS)
def test_every_file_is_sent_with_its_kind_and_the_policy(name: str) -> None:
    told = ask(PAGE if name == "index.html" else f"/page/{name}")
    assert told.status_code == 200
    assert told.content == page_part(name).body
    assert told.headers["content-type"] == page_part(name).kind
    assert told.headers["content-security-policy"] == POLICY
    assert told.headers["x-content-type-options"] == "nosniff"
    again = ask(PAGE if name == "index.html" else f"/page/{name}", if_none_match=f'"x", W/{told.headers["etag"]}')
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", told.headers["etag"])


@pytest.mark.parametrize(
    "path",
    [
        "/page/",
        "/page/index.html",
        "/page/none.js",
        "/page/..%2fapi.py",
        "/page/%2e%2e",
        "/page/APP.js",
        "/page/app.js%00",
    ],
)
def test_what_is_not_on_the_list_is_not_there(path: str) -> None:
    told = ask(path)
    assert told.status_code == 404
    assert part_at(path) is None
    with pytest.raises(KeyError):
        page_part("../api.py")


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    rules = dict(rule.strip().partition(" ")[::2] for rule in POLICY.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in POLICY and "*" not in POLICY and "http" not in POLICY


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_turns_a_string_into_more_than_text(name: str) -> None:
    text = page_part(name).body.decode()
    code = re.sub(r"^\s*//.*$|/\*\*.*?\*/", "", text, flags=re.MULTILINE | re.DOTALL)
    assert not [found[0] for rule in FORBIDDEN for found in re.finditer(rule, code)]
    assert len(text.splitlines()) <= 400
    assert text.startswith("// ")  # each opens with what it is for


def test_the_page_has_no_script_or_style_of_its_own_and_loads_only_what_is_listed() -> None:
    text = page_part("index.html").body.decode()
    assert not re.search(r"\son[a-z]+=|\sstyle=|javascript:|<style", text)
    assert not re.findall(r"<script(?![^>]*src=)", text)
    loaded = re.findall(r'(?:src|href)="(/[^"]*)"', text)
    assert loaded and all(part_at(path) for path in loaded)
    for name in SCRIPTS:
        for other in re.findall(r'from "\./([^"]+)"', page_part(name).body.decode()):
            assert other in PARTS, (name, other)
    assert not re.search(
        r"@import|url\(", "".join(page_part(one).body.decode() for one in PARTS if one.endswith(".css"))
    )


def test_every_element_a_script_names_is_on_the_page() -> None:
    text = page_part("index.html").body.decode()
    there = set(re.findall(r'\sid="([^"]+)"', text))
    named = {one for name in SCRIPTS for one in re.findall(r'\bpart\("([^"]+)"\)', page_part(name).body.decode())}
    assert named and named <= there
