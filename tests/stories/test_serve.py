"""What is measured is what is served: a real server on a loopback port answers as the evaluation recorded."""

import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.runs import Run, all_runs
from tests.command import dragoman, ended, process, spawn


def request(url: str, body: Any = None, key: str = "") -> tuple[int, str]:
    """Status and body of one request."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def started(*words: str, folder: Path) -> tuple["subprocess.Popen[str]", str]:
    """A server on a free port, and where it listens."""
    running = spawn("serve", *words, "port=0", folder=folder)
    assert running.stderr is not None
    line = running.stderr.readline()
    said = line
    while line and not line.startswith("serving "):
        line = running.stderr.readline()
        said += line
    assert line.startswith("serving "), said
    return running, line.split(" at ")[1].split()[0]


@pytest.fixture(scope="module")
def server(judged_project: Path) -> Iterator[tuple[str, Path]]:
    """The newest verdict of the judged project, served; it is stopped by SIGTERM at the end."""
    running, url = started(folder=judged_project)
    with running:
        yield url, judged_project
        running.send_signal(signal.SIGTERM)
        ended(running)
    assert running.returncode == 143


def test_it_answers_what_was_measured(server: tuple[str, Path]) -> None:
    url, folder = server
    runs = all_runs(folder / "runs")
    chosen = next(one for one in runs if one.verb == "run").results["rung_run"]
    sealed = next(one for one in runs if one.verb == "judge" and one.results["rung_run"] == chosen)
    evaluated = Run.open(folder / "runs" / sealed.results["evaluation"])
    lines = (evaluated.folder / "predictions" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    recorded = [json.loads(line) for line in lines]
    status, body = request(f"{url}/v1/classify", {"inputs": [row["text"] for row in recorded]})
    answer = json.loads(body)
    assert status == 200, body
    assert answer["run"] == chosen
    assert [one["label"] for one in answer["results"]] == [row["answer"] for row in recorded]
    for one, row in zip(answer["results"], recorded, strict=True):
        assert one["scores"] == pytest.approx(row["scores"], abs=1e-5)
    alone = json.loads(request(f"{url}/v1/classify", {"input": recorded[0]["text"]})[1])["results"][0]
    assert alone["scores"] == pytest.approx(recorded[0]["scores"], abs=1e-5)


def test_health_and_metrics(server: tuple[str, Path]) -> None:
    url, _ = server
    request(f"{url}/v1/classify", {"input": "bake the bread"})
    status, body = request(f"{url}/healthz")
    assert (status, json.loads(body)) == (200, {"live": True, "ready": True})
    status, page = request(f"{url}/metrics")
    assert status == 200, body
    assert "# TYPE" in page
    assert "dragoman" in page


@pytest.mark.parametrize(("body", "status"), [({}, 400), ({"inputs": []}, 400), ({"input": 3}, 400)])
def test_bad_requests_are_refused_by_name(server: tuple[str, Path], body: Any, status: int) -> None:
    got, text = request(f"{server[0]}/v1/classify", body)
    assert got == status
    assert json.loads(text)["error"]["message"]


def test_a_key_opens_it_to_others(judged: Path) -> None:
    made = dragoman("serve", "--new-key", "keys=keys.txt", "--json")
    assert made.code == 0
    key = made.json["key"]
    assert key not in (judged / "keys.txt").read_text()
    running, url = started("zero_shot", "host=0.0.0.0", "keys=keys.txt", folder=judged)
    with running:
        url = url.replace("0.0.0.0", "127.0.0.1")
        assert request(f"{url}/v1/classify", {"input": "soil"})[0] == 401
        status, body = request(f"{url}/v1/classify", {"input": "soil and a rose"}, key)
        assert status == 200, body
        assert json.loads(body)["run"].startswith("zero_shot-")
        running.send_signal(signal.SIGINT)
        said = ended(running)[1]
    assert running.returncode == 130
    assert "Traceback" not in said
    assert said.count("dragoman: ") == 1


def test_a_port_that_a_server_holds_is_told(judged: Path) -> None:
    running, url = started("full", folder=judged)
    with running:
        second = process("serve", "full", f"port={url.rsplit(':', 1)[1]}", folder=judged)
        running.terminate()
        ended(running)
    assert second.code == 2
    assert "is taken" in second.err
    assert "port=" in second.err
