"""What an evaluation keeps and finds again, and which figures of a run it may not make up."""

from pathlib import Path

import pytest

from dragoman.app.assistant import Assistant
from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.core.project import overlay
from dragoman.core.runs import Run
from dragoman.core.types import Answer, Example, Message
from dragoman.evals.task import asked
from dragoman.stages.assistants import Opened
from dragoman.stages.evaluate import measure
from tests.app.fakes import ReadingModel

ENDS = "one\u2028two\u2029three\u0085four"
ROWS = [Example((Message("user", f"say {place}"),), (ENDS,)) for place in range(3)]


def says(turns: object, lm: LM) -> list[Turn]:
    """A step that answers every turn alike."""
    assert isinstance(turns, list)
    return [Turn(turn.question, answer=Answer(ENDS, finish="stop", tokens=4)) for turn in turns]


def opened(root: Path, verb: str, task: str = "chat", forgetting: object = None) -> Opened:
    """A finished run with an assistant that always says the same."""
    made = Run.begin(root, verb, {}, {})
    (made.folder / "model").mkdir(parents=True)
    (made.folder / "model" / "dragoman.json").write_text("{}")
    card = {"labels": ["a"] if task == "classify" else [], "multi_label": False, "task": task}
    return Opened(Assistant(ReadingModel(), (says,)), made.finish({"forgetting": forgetting}), card)


def test_every_end_of_a_line_in_an_answer_is_found_again(tmp_path: Path) -> None:
    one = opened(tmp_path, "full")
    first, again = (measure(one, ROWS, "rows", requests=0) for _ in range(2))
    assert again.report.predictions == first.report.predictions
    assert again.report.predictions[0].answer.text == ENDS


@pytest.mark.parametrize(("verb", "known"), [("zero_shot", True), ("full", False)])
def test_forgetting_is_none_of_what_learnt_and_was_not_measured(tmp_path: Path, verb: str, known: bool) -> None:
    found = measure(opened(tmp_path, verb), ROWS, "rows", requests=0).estimates
    assert ("forgetting" in found) is known
    assert "size_mb" in found


def test_what_is_asked_for_is_measured_besides(tmp_path: Path) -> None:
    scope = {"task": "chat", "target": {"valid_json": ">= 0.5", "rougel": ">= 0.1"}, "limits": {"p95_ms": "<= 50"}}
    names = asked(overlay({"scope": scope}, ()).scope)
    assert names == ["valid_json", "rougel"]
    one = opened(tmp_path, "full")
    assert "valid_json" not in measure(one, ROWS, "rows", requests=0).estimates
    assert measure(one, ROWS, "rows", requests=0, names=names).estimates["valid_json"].value == 0


def test_of_labels_every_metric_is_measured_whatever_is_asked(tmp_path: Path) -> None:
    def labels(turns: object, lm: LM) -> list[Turn]:
        assert isinstance(turns, list)
        return [Turn(turn.question, answer=Answer("a", ("a",), {"a": 1.0})) for turn in turns]

    rows = [Example((Message("user", "x"),), ("a",))]
    one = opened(tmp_path, "full", "classify")
    classifier = Opened(Assistant(ReadingModel(), (labels,)), one.run, one.card)
    assert "accuracy" in measure(classifier, rows, "rows", requests=0, names=["macro_f1"]).estimates
