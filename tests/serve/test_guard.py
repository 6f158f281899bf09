"""Names, origins and keys: who may come in."""

import asyncio
from typing import Any

import httpx
import pytest

from dragoman.serve.context import Context
from dragoman.serve.guard import Guard, host_name, is_address
from dragoman.serve.keys import hash_key
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.served import Catalogue, Lineage, Served
from tests.serve.conftest import Running

KEY = "dk-right"
ROUTES = ("/metrics", "/v1/classify", "/nowhere", "/docs", "/openapi.json", "/v1/conversations/abcdefgh", "/v1/models")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("localhost:80", "localhost"),
        ("LOCALHOST", "localhost"),
        ("localhost.", "localhost"),
        ("[::1]:8000", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("evil.com/localhost", ""),
        ("localhost@evil.com", ""),
        ("evil.com#localhost", ""),
        ("localhost, evil.com", ""),
        ("localhost:99999", ""),
        ("[::1", ""),
        ("", ""),
        ("löcalhost", ""),
    ],
)
def test_host_name(text: str, name: str) -> None:
    assert host_name(text) == name


@pytest.mark.parametrize(("name", "expected"), [("10.0.0.1", True), ("::1", True), ("evil.com", False), ("", False)])
def test_is_address(name: str, expected: bool) -> None:
    assert is_address(name) is expected


@pytest.mark.parametrize("host", ["evil.com", "localhost.evil.com", "127.0.0.1.evil.com", "10.0.0.1", "0.0.0.0", ""])
def test_a_foreign_name_is_refused(standing: Running, host: str) -> None:
    given = httpx.get(standing.url + "/healthz", headers={"Host": host}, trust_env=False)
    assert given.status_code == 403
    assert given.json()["error"]["type"] == "permission_error"


@pytest.mark.parametrize(
    "origin", ["https://evil.com", "null", "file://", "http://localhost.evil.com", "ftp://localhost"]
)
def test_a_page_from_elsewhere_is_refused(standing: Running, origin: str) -> None:
    assert standing.classify("alien", headers={"Origin": origin}).status_code == 403
    assert "alien" not in standing.fake.seen


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:80"])
def test_a_page_from_here_is_not(standing: Running, origin: str) -> None:
    assert standing.classify("a", headers={"Origin": origin}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": b"Bearer \xc3\xa9\xff"},
        {"X-API-Key": "wrong"},
        {"X-API-Key": b"\xff\xfe"},
        {"Authorization": "Bearer wrong", "X-API-Key": KEY},
        {"Authorization": f"Bearer {KEY}", "X-API-Key": "wrong"},
        {"Authorization": "Bearer " + "a" * 5000},
        {"Authorization": f"Bearer {hash_key(KEY.encode())}"},
        {"Cookie": f"key={KEY}"},
    ],
    ids=str,
)
def test_without_the_key_nothing_opens(keyed: Running, headers: dict[str, str]) -> None:
    for route in ROUTES:
        given = httpx.post(f"{keyed.url}{route}?key={KEY}", headers=headers, json={"input": "alien"}, trust_env=False)
        assert given.status_code == 401
        assert given.headers["www-authenticate"] == "Bearer"
        assert given.json()["error"]["type"] == "authentication_error"
        assert KEY not in given.text
    assert "alien" not in keyed.fake.seen
    assert keyed.get("/healthz").status_code == 200


@pytest.mark.parametrize("headers", [{"Authorization": f"bearer  {KEY}"}, {"X-API-Key": KEY}], ids=str)
def test_the_key_opens(keyed: Running, headers: dict[str, str]) -> None:
    assert keyed.classify("a", headers=headers).status_code == 200


def test_a_websocket_is_not_opened(standing: Running) -> None:
    asked = b"GET /v1/classify HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    said = standing.raw(asked + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n\r\n", seconds=0.5)
    assert said.startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize("path", ["/v1/classify%0A", "/v1/models/x%0A", "/%0D", "/v1/classify%00", "/%C2%85"])
def test_a_path_with_a_control_character_is_refused(standing: Running, keyed: Running, path: str) -> None:
    for server in (standing, keyed):
        given = httpx.post(server.url + path, json={"input": "alien"}, trust_env=False)
        assert given.status_code == 400
        assert "alien" not in server.fake.seen


def test_what_the_table_does_not_know_goes_no_further() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        scope["dragoman.failed"] = 503  # what a stream says that had begun
        await send({"type": "http.response.start", "status": 200})

    meters = Meters("x")
    context = Context(Catalogue([Served("x", "chat", Lineage())]), Limits(), meters)
    guard = Guard(app, {"/known": "open", "/known/{id}": "open"}, ("localhost",), False, context)
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    for path in ("/known", "/known/x", "/other", "/known/x/y", "/known/", "/known\n"):
        scope = {"type": "http", "path": path, "headers": [(b"host", b"localhost")]}
        asyncio.run(guard(scope, None, send))  # type: ignore[arg-type]
    assert seen == ["/known", "/known/x"]
    assert [one["status"] for one in told if "status" in one] == [200, 200, 404, 404, 404, 400]
    assert b'dragoman_requests_total{route="/known",status="503"} 1.0' in meters.page()
