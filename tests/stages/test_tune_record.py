"""What a tuning proved, from two evaluations of the same rows: the comparison, the sentence, the answers shown."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dragoman.core.project import overlay
from dragoman.core.types import Answer, Example, Message
from dragoman.evals.prediction import Prediction
from dragoman.evals.run import Report, from_rows
from dragoman.evals.task import make_task
from dragoman.stages.train import Plan
from dragoman.stages.tune_record import Pair, card_of
from dragoman.train.doors import How

ROWS = [Example((Message("user", f"say word{place}"),), (f"word{place} of mine",)) for place in range(24)]
PROJECT = overlay(
    {
        "scope": {"task": "chat", "target": {"rougel": ">= 0"}},
        "data": {"source": "x"},
        "models": {"candidates": ["base"]},
    },
    (),
)


@dataclass(frozen=True)
class Done:
    """As much of a run as a record reads."""

    id: str
    folder: Path
    results: dict[str, Any]
    record: dict[str, Any]


def report(answers: list[str], finish: str = "stop") -> Report:
    """The evaluation of these answers."""
    task = make_task(ROWS, (), kind="chat")
    found = [
        Prediction.of(place, row, Answer(text, finish=finish, tokens=3), "chat").to_row()
        for place, (row, text) in enumerate(zip(ROWS, answers, strict=True), start=1)
    ]
    return from_rows(found, task)


@dataclass(frozen=True)
class Held:
    """As much of an evaluation as a record reads."""

    report: Report
    run: Done

    @property
    def estimates(self) -> Any:
        return self.report.estimates


def pair(before: list[str], after: list[str]) -> Pair:
    facts = {"learnt": 10, "weights": 100, "seconds": 3.0, "memory": 10**9, "forgetting": None, "parity": []}
    done = Done("full-1", Path("runs/full-1"), facts, {})
    plan = Plan("base", "full", How(), objective="sft")
    old, new = Held(report(before, "length"), done), Held(report(after), done)
    given: Any = (PROJECT, plan, done, done, new, done, old, 1, done)
    return Pair(*given)


RIGHT = [row.answers[0] for row in ROWS]
WRONG = ["nothing at all"] * len(ROWS)


def test_better_is_proven_row_by_row() -> None:
    found = pair(WRONG, RIGHT)
    assert found.better and found.mark == "good" and found.comparisons["rougel"].better == "b"
    assert "proven better than the untouched model" in found.headline and "24 rows" in found.headline
    assert found.comparisons["stopped"].b == 1.0 and found.comparisons["stopped"].a == 0.0


def test_a_tie_proves_nothing_and_worse_is_said() -> None:
    same = pair(RIGHT, RIGHT)
    assert not same.better and "not proven better" in same.headline
    assert "proven worse" in pair(RIGHT, WRONG).headline


def test_without_an_untouched_answer_there_is_nothing_to_compare() -> None:
    alone = replace(pair(WRONG, RIGHT), base=None, old=None)
    assert alone.comparisons == {} and alone.better and "no way to answer" in alone.headline
    assert not replace(pair(RIGHT, WRONG), base=None, old=None).better, "answers that are all wrong are no proof"
    assert alone.result("page.html")["base"] is None


def test_the_card_says_what_was_learnt_and_how_to_ask() -> None:
    told = dict(card_of(pair(WRONG, RIGHT), ["task chat"], "report.html"))
    assert told["learnt"] == "10 of 100 weights, by full" and told["guessed"] == "task chat"
    assert told["try it"] == 'dragoman ask full-1 "..."' and "stopped" in told
