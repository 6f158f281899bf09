"""An assistant is run over a task and measured whole."""

import json
import math

import pytest

from dragoman.app.assistant import Assistant
from dragoman.app.steps.classify import Classify
from dragoman.core.errors import UserError
from dragoman.core.types import Answer, Example, Message
from dragoman.evals.latency import REQUESTS
from dragoman.evals.prediction import Prediction
from dragoman.evals.run import evaluate, from_rows
from dragoman.evals.task import make_task
from tests.app.fakes import ReadingModel
from tests.evals.rows import report

LABELS = ("cat", "dog", "cow")
TEXTS = [("a cat", "cat"), ("a dog", "dog"), ("a dog", "cat"), ("a cow", "cow"), ("nothing", "dog")] * 8
EXAMPLES = [
    Example((Message("user", text),), (label,), meta={"id": f"r{number}", "group": str(number // 2)})
    for number, (text, label) in enumerate(TEXTS)
]
ASSISTANT = Assistant(ReadingModel(), (Classify(LABELS),))


def test_every_figure_has_its_interval() -> None:
    done: list[int] = []
    found = evaluate(ASSISTANT, make_task(EXAMPLES, LABELS), batch=16, resamples=200, progress=done.append)
    assert done == [16, 32, 40]
    assert set(found.estimates) == {
        "accuracy", "macro_f1", "micro_f1", "mcc", "log_loss", "ece", "f1:cat", "f1:dog", "f1:cow", "p50_ms", "p95_ms",
    }  # fmt: skip
    for estimate in found.estimates.values():
        assert estimate.low <= estimate.value <= estimate.high
    assert found.estimates["accuracy"].value == 0.6
    assert found.estimates["f1:cow"].value == 1.0
    assert found.estimates["p95_ms"].n == REQUESTS
    assert len(found.latencies) == REQUESTS
    assert len(found.answers) == 40
    assert found.ece_null is not None
    assert found.worst[0].labels == ("dog",)
    assert all(sample.references == sample.labels for sample in found.best)
    assert (found.confused[0].true, found.confused[0].taken) in {("cat", "dog"), ("dog", "cat")}


def test_groups_widen_the_interval() -> None:
    task = make_task(EXAMPLES, LABELS, ["accuracy"])
    alone = [Example(example.prompt, example.answers) for example in EXAMPLES]
    wide = evaluate(ASSISTANT, task, requests=0).estimates["accuracy"]
    narrow = evaluate(ASSISTANT, make_task(alone, LABELS, ["accuracy"]), requests=0).estimates["accuracy"]
    assert wide.value == narrow.value
    assert wide != narrow


def test_the_batch_does_not_matter() -> None:
    task = make_task(EXAMPLES, LABELS)
    assert (
        evaluate(ASSISTANT, task, batch=1, requests=0).estimates
        == evaluate(ASSISTANT, task, batch=64, requests=0).estimates
    )


def test_the_report_survives_the_disk() -> None:
    task = make_task(EXAMPLES, LABELS)
    found = evaluate(ASSISTANT, task, resamples=200)
    lines = [json.loads(json.dumps(row)) for row in found.rows()]
    again = from_rows(lines, task, latencies=found.latencies, resamples=200)
    assert again.estimates == found.estimates
    assert again.predictions == found.predictions
    assert again.ece_null == found.ece_null


def test_the_summary_is_json() -> None:
    found = evaluate(ASSISTANT, make_task(EXAMPLES, LABELS), resamples=100, requests=20)
    summary = json.loads(json.dumps(found.summary(), allow_nan=False))
    assert summary["n"] == 40
    assert sum(map(sum, summary["confusion"])) == 40
    assert sum(point["n"] for point in summary["reliability"]) == 40
    assert summary["ece_null"]["value"] > 0
    assert summary["confused"][0]["share"] > 0
    assert summary["notes"] == ["fewer than 10 rows carry cow: their F1 says little"]


def test_labels_without_rows_are_said() -> None:
    notes = report("aa ab ba " * 10).notes
    assert notes == ("no row carries c: their F1 counts as 0 in macro_f1",)


def test_per_label_f1_is_the_same_without_macro_f1() -> None:
    names = ["f1:cat", "f1:dog"]
    alone = evaluate(ASSISTANT, make_task(EXAMPLES, LABELS, names), requests=0, resamples=100)
    beside = evaluate(ASSISTANT, make_task(EXAMPLES, LABELS, [*names, "macro_f1"]), requests=0, resamples=100)
    assert all(alone.estimates[name] == beside.estimates[name] for name in names)
    assert list(beside.estimates) == [*names, "macro_f1"]


def test_several_labels() -> None:
    examples = [
        Example((Message("user", "a cat and a dog"),), ("cat", "dog")),
        Example((Message("user", "a cow"),), ()),
        Example((Message("user", "nothing"),), ()),
    ]
    assistant = Assistant(ReadingModel(independent=True), (Classify(LABELS, multi_label=True),))
    found = evaluate(assistant, make_task(examples, LABELS, multi_label=True), resamples=100, requests=20)
    assert found.estimates["accuracy"].value == pytest.approx(2 / 3)
    assert found.estimates["micro_f1"].value == pytest.approx(0.8)
    assert "mcc" not in found.estimates
    assert all(math.isfinite(found.estimates[name].high) for name in ("log_loss", "ece"))
    json.dumps(found.summary(), allow_nan=False)


def test_text_without_probabilities_is_a_mistake_told() -> None:
    task = make_task(EXAMPLES[:1], LABELS, ["log_loss"])
    row = {"id": "1", "text": "", "references": ["cat"], "answer": "cat", "labels": [], "scores": {}}
    with pytest.raises(UserError, match="needs the probability"):
        from_rows([row], task)
    assert from_rows([row], make_task(EXAMPLES[:1], LABELS, ["accuracy"])).answers == (Answer("cat"),)


def test_what_must_be_told_beside_a_figure_is_told() -> None:
    examples = [Example((Message("user", "a cat"),), ("a cat", "cat"))]
    rows = [Prediction.of(1, examples[0], Answer("a cat", finish="stop"), "chat").to_row()]
    told = from_rows(rows, make_task(examples, (), kind="chat"))
    assert set(told.signatures) == {"bleu", "chrf"}
    assert told.signatures["bleu"].startswith("nrefs:2|case:mixed")
    assert told.summary()["signatures"] == told.signatures
