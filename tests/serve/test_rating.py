"""The rating page: who gets in, what is sent, what is saved, and that nothing a model wrote is more than text."""

import asyncio
import html
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from dragoman.core.types import Message
from dragoman.data.ratings import Item, Journal
from dragoman.data.ratings_desk import Desk
from dragoman.serve.page import POLICY
from dragoman.serve.rating import LIMITS, build_page
from dragoman.serve.run import listen, make_server

EVIL = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"
ITEMS = [
    Item("1", (Message("user", f"ask {EVIL}"),), (EVIL, "plain"), ("secret-a", "secret-b")),
    Item("2", (Message("user", "two"),), ("a", "b", "c", "d")),
    Item("3", (Message("user", "three"),), ("e", "f")),
]


def app_of(folder: Path) -> FastAPI:
    """The page over a journal in a folder; a second one is the page after it was killed."""
    return build_page(Desk(ITEMS, Journal.open(folder / "j.jsonl")), "anna")


def client(app: FastAPI) -> httpx.AsyncClient:
    """A client that talks to the application without a socket."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8010")


def call(
    app: FastAPI, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    """One request."""

    async def ask() -> httpx.Response:
        async with client(app) as one:
            if isinstance(body, bytes):
                return await one.request(method, path, content=body, headers=headers)
            return await one.request(method, path, json=body, headers=headers)

    return asyncio.run(ask())


def judge(app: FastAPI, *picked: int, act: str = "rank", rater: str = "anna") -> dict[str, Any]:
    """Judge the item that a rater is shown."""
    view = call(app, "GET", f"/view?rater={rater}").json()
    body = {"rater": rater, "act": act, "item": (view["item"] or {}).get("key", ""), "picked": list(picked)}
    given = call(app, "POST", "/judge", body)
    assert given.status_code == 200, given.text
    said: dict[str, Any] = given.json()
    return said


def test_a_judgement_is_on_the_disk_when_it_is_answered_and_the_page_goes_on(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    assert judge(app, 0)["done"] == 1
    assert len((tmp_path / "j.jsonl").read_text().splitlines()) == 1
    assert judge(app, 3, 1)["done"] == 2
    again = app_of(tmp_path)  # the first one was killed: nothing is kept but the journal
    view = call(again, "GET", "/view").json()
    assert (view["done"], view["total"], view["item"]["prompt"][0]["content"]) == (2, 3, "three")
    assert judge(again, act="skip")["item"] is None
    assert judge(again, act="undo")["done"] == 2
    assert call(again, "GET", "/view?rater=ben").json()["done"] == 0
    kept = Journal.open(tmp_path / "j.jsonl").standing("helpful")["anna"]
    order = Desk(ITEMS, Journal(tmp_path / "x")).order("anna", ITEMS[1])
    assert [kept[ITEMS[1].key].ranks[place] for place in order] == [3, 2, 3, 1]


def test_the_view_is_blind(tmp_path: Path) -> None:
    assert "secret" not in call(app_of(tmp_path), "GET", "/view").text


def test_a_page_that_is_behind_is_told_so(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    key = call(app, "GET", "/view").json()["item"]["key"]
    judge(app, 0)
    late = call(app, "POST", "/judge", {"rater": "anna", "act": "rank", "item": key, "picked": [1]})
    assert (late.status_code, late.json()["done"]) == (409, 1)
    assert len((tmp_path / "j.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/view", "/nothing"])
def test_every_answer_carries_the_policy(tmp_path: Path, path: str) -> None:
    given = call(app_of(tmp_path), "GET", path)
    assert given.status_code == (404 if path == "/nothing" else 200)
    assert given.headers["content-security-policy"] == POLICY
    assert given.headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in POLICY and "default-src 'none'" in POLICY and "frame-ancestors 'none'" in POLICY
    assert "http" not in given.text.replace("http-equiv", "")  # nothing is fetched from elsewhere


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:8010"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "localhost:8010"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "http://127.0.0.1:8010"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
    ids=str,
)
def test_only_this_page_on_this_machine_gets_in(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    app = app_of(tmp_path)
    for method, path, body in (("GET", "/view", None), ("POST", "/judge", {"rater": "anna", "act": "undo"})):
        given = call(app, method, path, body, headers)
        assert given.status_code == status
        assert given.headers["content-security-policy"] == POLICY
        assert status == 200 or "item" not in given.json()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\xff", 400),
        (b"[" * 3000, 400),
        (b"[]", 400),
        (b'{"act": "rank"}', 400),
        (b'{"act": "drop", "rater": "anna"}', 400),
        (b'{"act": "rank", "rater": 3}', 400),
        (b'{"act": "rank", "rater": "anna", "more": 1}', 400),
        (b'{"act": "undo", "rater": "  "}', 400),
        (b'{"act": "undo", "rater": "a\\u001b[2J"}', 400),
        (json.dumps({"act": "rank", "rater": "anna", "item": ITEMS[0].key, "picked": [True]}).encode(), 400),
        (json.dumps({"act": "rank", "rater": "anna", "item": ITEMS[0].key, "picked": [0, 0]}).encode(), 400),
        (json.dumps({"act": "rank", "rater": "anna", "item": ITEMS[0].key, "picked": [7]}).encode(), 400),
        (json.dumps({"act": "rank", "rater": "anna", "item": "other", "picked": [0]}).encode(), 409),
        (b'{"act": "undo", "rater": "' + b"a" * LIMITS.body_bytes + b'"}', 413),
    ],
)
def test_what_is_no_judgement_changes_nothing(tmp_path: Path, body: bytes, status: int) -> None:
    given = call(app_of(tmp_path), "POST", "/judge", body, {"Content-Type": "application/json"})
    assert given.status_code == status, given.text
    assert not (tmp_path / "j.jsonl").exists()


def test_a_form_of_another_page_cannot_rate(tmp_path: Path) -> None:
    """Without a preflight a browser sends only forms and plain text."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        given = call(app_of(tmp_path), "POST", "/judge", b'{"act": "undo", "rater": "anna"}', {"Content-Type": kind})
        assert given.status_code == 415


def test_the_script_writes_texts_as_texts_alone() -> None:
    folder = Path(__file__).resolve().parents[2] / "dragoman" / "serve" / "rating_page"
    script = (folder / "page.js").read_text(encoding="utf-8")
    page = (folder / "page.html").read_text(encoding="utf-8")
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function(", "srcdoc"):
        assert forbidden not in script
    assert not re.search(r"\son\w+=|style=|<style|javascript:", page)
    assert re.findall(r"<script([^>]*)>(.*?)</script>", page) == [(' src="/page.js" defer', "")]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The page on a real port."""

    listener = listen("127.0.0.1", 0)
    server = make_server(app_of(tmp_path), LIMITS)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    until = time.monotonic() + 10
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    server.should_exit = True
    thread.join(10)


def opened(where: str, folder: Path) -> tuple[str, list[str]]:
    """A page in a browser after its scripts have run, and the complaints of its console."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed")
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=3000"]
    words += [f"--user-data-dir={folder / 'profile'}", "--dump-dom", where]
    done = subprocess.run([program, *words], capture_output=True, timeout=60, check=True)
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    return done.stdout.decode("utf-8"), [line for line in lines if "CONSOLE" in line]


def test_in_a_browser_what_a_model_wrote_is_shown_and_does_not_run(address: str, tmp_path: Path) -> None:
    page, complaints = opened(address, tmp_path)
    assert "<title>Rate · Dragoman</title>" in page
    assert page.count(html.escape(EVIL, quote=False)) == 2  # in the prompt and in one completion, letter by letter
    assert "<img" not in page and page.count("<script") == 1
    assert not complaints


# What stands in for the server notes each request; the keys are pressed once the answer before them was drawn.
PRESSED = """
const sent = [];
const item = { key: "k", prompt: [{ role: "user", content: "?" }], completions: ["a", "b", "c", "d"] };
const shown = { rater: "anna", question: "?", total: 3, done: 1, skipped: 0, undo: true, item };
let fails = false;
window.fetch = async (path, how) => {
  sent.push(how.body ? JSON.parse(how.body) : path);
  if (fails) throw new Error("gone");
  return { status: 200, json: async () => shown };
};
async function press(keys) {
  for (const key of keys) {
    document.dispatchEvent(new KeyboardEvent("keydown", { key }));
    await new Promise((done) => setTimeout(done, 5));
  }
}
addEventListener("load", async () => {
  await press(["3", "3", "1", "x", "5", "u", "2", "4"]);
  await press(["t", "1", "0", "S", "u"]);
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "s", repeat: true }));
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "s", ctrlKey: true }));
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "0" }));
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "0" })); // before the first was acknowledged
  await press([]);
  await new Promise((done) => setTimeout(done, 20));
  fails = true;
  await press(["s"]);
  document.body.replaceChildren(document.getElementById("trouble"), JSON.stringify(sent.slice(1)));
});
"""


def test_in_a_browser_keys_become_judgements(tmp_path: Path) -> None:
    folder = Path(__file__).resolve().parents[2] / "dragoman" / "serve" / "rating_page"
    script = f"<script>{PRESSED}</script><script>{(folder / 'page.js').read_text(encoding='utf-8')}</script></body>"
    page = (folder / "page.html").read_text(encoding="utf-8").replace(' src="/page.js" defer', "")
    (tmp_path / "page.html").write_text(page.replace("</body>", script), encoding="utf-8")
    said, _ = opened((tmp_path / "page.html").as_uri(), tmp_path)
    sent = json.loads(html.unescape(re.findall(r"</p>(\[.*\])", said)[0]))
    assert [(one["act"], one.get("picked")) for one in sent] == [
        ("rank", [2, 1, 3]),
        ("rank", []),
        ("rank", [0]),
        ("skip", []),
        ("undo", None),
        ("rank", []),
        ("skip", []),
    ]
    assert {one["rater"] for one in sent} == {"anna"}
    assert "was not saved" in said
