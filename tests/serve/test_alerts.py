"""Alerts ring on journals with something wrong, each by its name, and not on quiet ones."""

from dataclasses import replace
from pathlib import Path

import pytest

from dragoman.serve.alerts import Alert, Alerts, rung
from dragoman.serve.drift import Drift
from dragoman.serve.watched import follow, measures
from tests.serve.planted import NOW, plant

STILL = Drift(100, 500, 0.03, 0.05, 0.1, 0.01, 0.4)
MOVED = replace(STILL, topics=0.6, distance=0.3, p=0.001)


def rings(path: Path, drift: Drift | None = None, bounds: Alerts | None = None) -> list[Alert]:
    """What rings on a journal."""
    return rung(measures(follow(path, NOW, 24, 168)), drift, bounds or Alerts(), "train-1")


@pytest.mark.parametrize(
    ("wrong", "name"),
    [("errors", "errors"), ("slow", "latency"), ("refusals", "refusals"), ("feedback", "feedback")],
)
def test_what_is_planted_rings_alone(tmp_path: Path, wrong: str, name: str) -> None:
    found = rings(plant(tmp_path / "j.sqlite", wrong=wrong), STILL)
    assert [one.name for one in found] == [name]
    assert found[0].next.startswith("dragoman ") and found[0].said


def test_a_quiet_journal_is_quiet(tmp_path: Path) -> None:
    path = plant(tmp_path / "j.sqlite")
    assert rings(path) == rings(path, STILL) == []
    assert [one.name for one in rings(path, MOVED)] == ["drift"]
    assert rings(path, replace(MOVED, p=0.02)) == rings(path, replace(MOVED, topics=0.1)) == []


def test_a_bound_in_seconds_and_few_requests(tmp_path: Path) -> None:
    slow = plant(tmp_path / "j.sqlite")
    assert [one.name for one in rings(slow, bounds=Alerts(p95_seconds=0.01))] == ["latency"]
    few = plant(tmp_path / "few.sqlite", wrong="errors", each=10)
    assert rings(few, replace(MOVED, n=10)) == []
