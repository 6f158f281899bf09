"""docs/serving.md, held against the program: its commands run, and its routes are those of the server."""

import re
import shlex
from pathlib import Path

import pytest

from dragoman.serve.api import ACCESS
from tests.command import dragoman

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"


def test_the_commands_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line]
    assert len(lines) == 3
    for line in lines:
        made = dragoman(*shlex.split(line)[1:])
        assert made.code == 0, made.err
        assert ("anna" in made.whole) is (line != lines[0])  # made, listed, revoked
    assert "anna" not in (tmp_path / "keys.txt").read_text()


def test_every_route_of_the_page_is_one_of_the_servers() -> None:
    named = set(re.findall(r"`(?:GET |POST |DELETE )?(/[a-z0-9/.]+)`", PAGE.read_text(encoding="utf-8")))
    known = {route.removesuffix("/{id}") for route in ACCESS}
    assert named <= known
    assert {route for route in known if route.startswith("/v1/")} <= named
