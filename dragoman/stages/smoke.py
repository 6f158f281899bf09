"""Asks a running app whether it is the one that was exported: ready, serving its model, and answering as that run.

It needs Python alone, and is copied into every exported app: `python smoke.py http://127.0.0.1:8000`, with a key in
the environment variable DRAGOMAN_KEY where the server needs one. Exit codes: 0 all is as it was exported, 1 it is not.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

__all__ = ["check", "main", "wait_ready"]

EXPECTED = "smoke.json"
READY_SECONDS = 300.0  # a large model is read from a slow disk
ANSWER_SECONDS = 120.0


def main(words: list[str]) -> int:
    """Check the server at the address that is given, and tell each thing that was looked at."""
    url = (words[0] if words else "http://127.0.0.1:8000").rstrip("/")
    expected = json.loads(Path(__file__).with_name(EXPECTED).read_text(encoding="utf-8"))
    wrong = wait_ready(url, READY_SECONDS) or check(url, expected, os.environ.get("DRAGOMAN_KEY", ""))
    print(f"not as it was exported: {wrong}" if wrong else f"{url} answers as {expected['run']}")
    return 1 if wrong else 0


def wait_ready(url: str, seconds: float) -> str:
    """Wait until the server is ready; what is wrong where it is not in that time, else nothing."""
    end = time.monotonic() + seconds
    said = "no answer"
    while time.monotonic() < end:
        status, _, body = _request(f"{url}/readyz", None, "")
        if status == 200:
            return ""
        if status in (403, 404):
            return f"{url}/readyz answers {status}: {_message(body)}"
        said = f"status {status}" if status else body
        time.sleep(0.2)
    return f"{url} is not ready after {seconds:.0f} seconds: {said}"


def check(url: str, expected: dict[str, Any], key: str) -> str:
    """Ask for the models, then one thing of the task; what is not as it was exported, empty where all is.

    `expected` holds the run, the path and body of a request, and the lineage that its answer has to carry.
    """
    status, _, body = _request(f"{url}/v1/models", None, key)
    if status != 200:
        return f"/v1/models answers {status}: {_message(body)}"
    served = [str(one["id"]) for one in json.loads(body)["data"]]
    if expected["run"] not in served:
        return f"{', '.join(served)} is served instead of {expected['run']}"
    asked = {**expected["body"], "model": expected["run"]}
    status, headers, body = _request(url + expected["path"], asked, key)
    if status != 200:
        return f"{expected['path']} answers {status}: {_message(body)}"
    if not headers.get("x-request-id"):
        return f"{expected['path']} gives its answer no X-Request-Id"
    carried = json.loads(headers.get("x-dragoman-lineage") or "{}")
    apart = sorted(name for name, value in expected["lineage"].items() if carried.get(name) != value)
    return f"the answer's lineage differs in {', '.join(apart)}" if apart else ""


def _request(url: str, body: dict[str, Any] | None, key: str) -> tuple[int, dict[str, str], str]:
    """Status, headers by their small names, and body; status 0 and the reason where nobody answers."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=ANSWER_SECONDS) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, _text(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}, _text(error)
    except OSError as error:
        return 0, {}, str(getattr(error, "reason", error))


def _text(answer: Any) -> str:
    return bytes(answer.read()).decode("utf-8", "replace")


def _message(body: str) -> str:
    """What an answer says is wrong."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "without a word"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
