"""`dragoman doctor sandbox` shows what came of each attempt, and fails where one got out or nothing could hold one."""

import json

import pytest

from dragoman.app.sandbox.attempts import ATTEMPTS
from dragoman.app.sandbox.backends import Landlock
from dragoman.core.show import Show
from dragoman.stages import doctor
from dragoman.stages.doctor_sandbox import try_sandbox
from tests.app.sandbox.boxes import Layered, box_of
from tests.command import dragoman


def test_a_sandbox_that_holds(capsys: pytest.CaptureFixture[str]) -> None:
    box_of(Landlock())
    assert try_sandbox(Show(), [Landlock()], ATTEMPTS[:2], runs=1) == 0
    said = capsys.readouterr().out
    assert "read a file of the host" in said
    assert "0 of 2 got out" in said


def test_one_that_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    box_of(Landlock())
    assert try_sandbox(Show(json=True), [Layered()], ATTEMPTS[:1], runs=1) == 1
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["good"] is False
    [attempt] = told["backends"]["a part"]["attempts"]
    assert attempt["number"] == 1
    assert "the secret came out" in attempt["escaped"]
    assert told["backends"]["a part"]["milliseconds"]["boxed"] > 0


def test_none_at_all(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Landlock, "missing", lambda self: "this kernel has no Landlock")
    assert try_sandbox(Show(), [Landlock()], ATTEMPTS, runs=1) == 1
    assert "no program that a model writes is run" in capsys.readouterr().out


def test_the_word_is_the_verbs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "try_sandbox", lambda show: 7)
    assert dragoman("doctor", "sandbox").code == 7
