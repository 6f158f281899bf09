"""A hub of one's own on the loopback: it answers the calls of huggingface_hub and remembers what it was asked."""

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

__all__ = ["TOKEN", "Hub", "hub_running", "used"]

TOKEN = "hf_" + "t" * 34
COMMIT = "a" * 40


@dataclass
class Hub:
    """What the hub holds: repositories of files, who may see them, and every call."""

    url: str = ""
    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    "Large files by their SHA-256, on their way into a commit."
    refuse: int = 0
    "Answer everything with this status."

    def asked(self, part: str) -> list[str]:
        """The calls that hold a text."""
        return [call for call in self.calls if part in call]


def used(hub: Hub, folder: Any, monkeypatch: pytest.MonkeyPatch, token: str = TOKEN) -> None:
    """From now on the library in this process talks to that hub, with a cache of its own."""
    from huggingface_hub import constants

    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "no-token"))


@contextlib.contextmanager
def hub_running() -> Iterator[Hub]:
    """A hub that listens until the block ends."""
    hub = Hub()

    class Answers(_Answers):
        held = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Answers(BaseHTTPRequestHandler):
    """One request. What needs a token is refused with 401 without the right one, as the real hub does."""

    held: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *said: object) -> None:
        """Nothing: the calls are remembered instead."""

    def do_GET(self) -> None:
        path, known = self._asked(), self._known()
        if path == "/api/whoami-v2":
            person = {"name": "owner", "type": "user", "auth": {}}
            return self._json(person if known else {}, 200 if known else self.held.refuse or 401)
        if path.startswith("/api/models/"):
            name, _, rest = path.removeprefix("/api/models/").partition("/tree/")
            name = "/".join(name.split("/")[:2])
            if not self._seen(name):
                return self._missing()
            if rest:
                files = self.held.repos[name].items()
                return self._json([_entry(one, content) for one, content in files])
            return self._json({"id": name, "modelId": name, "sha": COMMIT, "private": self.held.private[name]})
        return self._file(path)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        path, body = self._asked(), self._body()
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if not self._known():
            return self._missing()
        if path == "/api/repos/create":
            told = json.loads(body)
            name = f"{told.get('organization') or 'owner'}/{told['name']}"
            if name in self.held.repos:
                return self._json(
                    {"error": "You already created this model repo", "url": f"{self.held.url}/{name}"}, 409
                )
            self.held.repos[name] = {}
            self.held.private[name] = told.get("visibility") == "private" or bool(told.get("private"))
            return self._json({"url": f"{self.held.url}/{name}"})
        if "/preupload/" in path:
            files = [one["path"] for one in json.loads(body)["files"]]
            modes = [{"path": one, "shouldIgnore": False, "uploadMode": _mode(one)} for one in files]
            return self._json({"files": modes})
        if path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**one, "actions": {"upload": {"href": f"{self.held.url}/store/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            return self._json({"transfer": "basic", "objects": objects})
        name = path.removeprefix("/api/models/").partition("/commit/")[0]
        for line in body.splitlines():
            told = json.loads(line)
            if told["key"] == "file":
                self.held.repos[name][told["value"]["path"]] = base64.b64decode(told["value"]["content"])
            elif told["key"] == "lfsFile":
                self.held.repos[name][told["value"]["path"]] = self.held.stored[told["value"]["oid"]]
        return self._json({"commitUrl": f"{self.held.url}/{name}/commit/{COMMIT}", "commitOid": COMMIT})

    def do_PUT(self) -> None:
        oid = self._asked().rpartition("/")[2]
        self.held.stored[oid] = self._body()
        self._json({})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _asked(self) -> str:
        path = unquote(urlsplit(self.path).path)
        self.held.calls.append(f"{self.command} {path}")
        return path

    def _known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}" and not self.held.refuse

    def _seen(self, name: str) -> bool:
        return name in self.held.repos and not self.held.refuse and (self._known() or not self.held.private[name])

    def _missing(self) -> None:
        status = self.held.refuse or 401
        code = "RepoNotFound" if status in (401, 404) else ""
        self._json({"error": "Invalid username or password."}, status, {"X-Error-Code": code} if code else {})

    def _file(self, path: str) -> None:
        name, _, rest = path[1:].partition("/resolve/")
        file = rest.partition("/")[2]
        if not self._seen(name) or file not in self.held.repos[name]:
            return self._missing()
        content = self.held.repos[name][file]
        told = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        return self._send(content, 200, told)

    def _json(self, value: Any, status: int = 200, more: dict[str, str] | None = None) -> None:
        self._send(json.dumps(value).encode(), status, {"Content-Type": "application/json", **(more or {})})

    def _send(self, content: bytes, status: int, more: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**more, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _mode(name: str) -> str:
    return "lfs" if name.endswith(".safetensors") else "regular"


def _entry(name: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
