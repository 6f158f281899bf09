"""What judges make of answers: their figures stand beside the metrics with intervals, and can be compared."""

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.core.project import overlay
from dragoman.core.types import Answer, Example, Message
from dragoman.evals.compare import difference
from dragoman.evals.rated import Score, share_won, with_rates
from dragoman.evals.run import Report, from_rows
from dragoman.evals.task import asked, make_task


def report(count: int = 40) -> Report:
    """An assistant that echoes, on rows of a chat."""
    examples = [Example((Message("user", f"q{row}"),), (f"a{row}",)) for row in range(count)]
    task = make_task(examples, (), (), kind="chat")
    rows = [
        {"id": str(row), "text": f"q{row}", "references": [f"a{row}"], "answer": f"a{row}", "labels": [], "scores": {}}
        | {"right": True, "group": "", "finish": "stop", "tokens": 1}
        for row in range(count)
    ]
    return from_rows(rows, task)


def test_the_figures_are_means_of_the_scores_and_of_wins_with_ties_half() -> None:
    scores = np.random.default_rng(0).normal(size=(40, 2))
    scores[0] = 1.0  # a tie
    made = with_rates(report(), {"kind": scores.tolist()})
    assert made.estimates["kind"].value == pytest.approx(scores[:, 0].mean())
    wins = (scores[:, 0] > scores[:, 1]).sum() + 0.5
    assert made.estimates["kind_wins"].value == pytest.approx(wins / 40)
    for name in ("kind", "kind_wins"):
        one = made.estimates[name]
        assert one.low < one.value < one.high and one.n == 40
    assert made.estimates["kind_wins"].low >= 0 and made.estimates["kind_wins"].high <= 1
    assert "rougel" in made.estimates and with_rates(report(), {}).estimates.keys() == report().estimates.keys()


def test_two_assistants_are_compared_by_a_judge_as_by_a_metric() -> None:
    scores = np.random.default_rng(1).normal(size=(40, 2))
    low, high = (with_rates(report(), {"kind": (scores + more).tolist()}) for more in (0.0, 1.0))
    found = difference(Score(), low.measured["kind"], high.measured["kind"], name="kind")
    assert found.difference.value == pytest.approx(1.0) and found.better == "b"


def test_a_share_of_wins_counts_ties_half() -> None:
    ours, theirs = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 2.0, 5.0, 1.0])
    assert share_won(ours, theirs).value == pytest.approx(2.5 / 4)


def test_a_judge_reads_prompts_so_it_measures_no_answer_alone() -> None:
    with pytest.raises(ValueError, match="not read from answers alone"):
        Score().measure(Answer("a"), ("a",))


def test_figures_of_judges_are_not_asked_of_answers() -> None:
    target = {"rougel": ">= 0.1"}
    scope = {"task": "chat", "target": target, "judges": {"kind": "count:e"}, "limits": {"kind_wins": ">= 0.5"}}
    assert asked(overlay({"scope": scope}, ()).scope) == ["rougel"]


@pytest.mark.parametrize("name", ["rougel", "p95_ms", "a_wins", "two words"])
def test_a_judge_has_a_name_of_its_own(name: str) -> None:
    with pytest.raises(UserError, match="a judge cannot be called"):
        asked(overlay({"scope": {"judges": {name: "count:e"}}}, ()).scope)
