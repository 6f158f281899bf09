"""The preflight: every fault planted in a sound set is found by its name, and a sound set is left in peace."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dragoman.data.check import Finding, preflight
from dragoman.data.leaks import leaks
from dragoman.data.load import Loaded, load

WORDS = tuple(
    first + second
    for first in ("ri", "sto", "win", "gar", "let", "mar")
    for second in ("ver", "ne", "dow", "den", "ter")
)


def sound(rows: int = 90) -> list[dict[str, Any]]:
    draw = random.Random(2)
    return [{"text": " ".join(draw.sample(WORDS, k=12)), "label": "abc"[number % 3]} for number in range(rows)]


def loaded(folder: Path, rows: Sequence[dict[str, Any]], name: str = "a.jsonl") -> Loaded:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load(name, root=folder)


def named(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def test_a_sound_set_has_notes_only(tmp_path: Path) -> None:
    findings = preflight(loaded(tmp_path, sound()))
    assert {finding.severity for finding in findings} == {"note"}
    assert {finding.name for finding in findings} == {"columns"}


@pytest.mark.parametrize(
    ("name", "severity", "more"),
    [
        ("empty-text", "error", [{"text": " ", "label": "a"}]),
        ("wrong-type", "error", [{"text": 1, "label": "a"}]),
        ("missing-column", "error", [{"text": "only a text"}]),
        ("label-of-one-row", "error", [{"text": "one of a kind", "label": "z"}]),
        ("rare-label", "warning", [{"text": f"few of {w}", "label": "z"} for w in WORDS[:5]]),
        ("conflicting-labels", "warning", [{"text": "same words", "label": "a"}, {"text": "Same words", "label": "b"}]),
        ("duplicates", "note", [{"text": "same words", "label": "a"}] * 2),
        (
            "imbalance",
            "warning",
            [{"text": f"{w} {v} {u}", "label": "a"} for w in WORDS[:9] for v in WORDS[:9] for u in WORDS[:9]],
        ),
        ("secret", "warning", [{"text": "the key is AKIA" + "IOSFODNN7EXAMPLE", "label": "a"}]),
        ("personal-data", "warning", [{"text": "write to jane@example.org", "label": "a"}]),
        ("bidi", "warning", [{"text": "turned \u202e round", "label": "a"}]),
        ("trimmed", "note", [{"text": "white space ", "label": "a"}]),
        ("label-in-text", "warning", [{"text": f"{w} {v} zzz", "label": "z"} for w in WORDS[:4] for v in WORDS[:4]]),
    ],
)
def test_each_fault_is_found_by_name(tmp_path: Path, name: str, severity: str, more: list[dict[str, Any]]) -> None:
    findings = preflight(loaded(tmp_path, sound() + more))
    found = named(findings, name)
    assert found.severity == severity
    assert found.count >= 1
    if found.sample is not None:
        assert found.sample.place.startswith("a.jsonl:")
    assert [ranked.severity for ranked in findings] == sorted(
        (ranked.severity for ranked in findings), key=["error", "warning", "note"].index
    )


def test_one_label_is_an_error(tmp_path: Path) -> None:
    assert (
        named(preflight(loaded(tmp_path, [{"text": w, "label": "a"} for w in WORDS])), "one-label").severity == "error"
    )


def test_labels_outside_the_scope_and_without_rows(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in sound()))
    findings = preflight(load("a.jsonl", root=tmp_path, labels=("a", "b", "d")), labels=("a", "b", "d"))
    assert named(findings, "label-outside-scope").count == 30
    assert named(findings, "label-without-rows").message == "no row has the label 'd' of the scope"


def test_overlap_with_a_given_part(tmp_path: Path) -> None:
    data, fresh = loaded(tmp_path, sound()), sound(180)[90:]
    same = {**sound()[4], "text": sound()[4]["text"].upper()}
    nearly = [{**row, "text": row["text"] + " too"} for row in sound()[10:15]]
    test = loaded(tmp_path, [*fresh, same, *nearly, {"text": "a text", "label": "new"}], "test.jsonl")
    findings = preflight(data, test=test)
    assert (named(findings, "overlap").count, named(findings, "overlap").severity) == (1, "error")
    assert "a.jsonl:5:1" in named(findings, "overlap").message
    assert named(findings, "near-overlap").count == 5
    assert named(findings, "label-not-in-train").count == 1
    assert named(preflight(data, test=test, on_overlap="drop"), "overlap").severity == "warning"


def test_what_is_cut_is_told(tmp_path: Path) -> None:
    rows = [*sound(), {"text": "word " * 50, "label": "a"}]
    findings = preflight(
        loaded(tmp_path, rows), count=lambda texts: [len(text.split()) for text in texts], max_length=20
    )
    found = named(findings, "cut")
    assert (found.count, found.severity) == (1, "note")
    assert "lose their end" in found.message
    assert "the longest has 50" in found.message


def test_whether_the_target_can_be_proven(tmp_path: Path) -> None:
    data = loaded(tmp_path, sound())
    assert named(preflight(data, bounds={"macro_f1": 0.95}), "too-few-rows").severity == "warning"
    assert "0.6 is proven from about 0.8" in named(preflight(data, bounds={"macro_f1": 0.6}), "provable").message


def test_keep_going_turns_refusals_into_warnings(tmp_path: Path) -> None:
    data = loaded(tmp_path, [*sound(), {"text": "", "label": "a"}])
    assert named(preflight(data, keep_going=True), "empty-text").severity == "warning"


def test_no_secret_is_printed(tmp_path: Path) -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLE"
    rows = [
        *sound(),
        {"text": f"{key} twice", "label": "a"},
        {"text": f"{key} twice", "label": "b"},
        {"text": "x", "label": [key]},
    ]
    assert key not in repr(preflight(loaded(tmp_path, rows)))


def test_a_leak_is_the_name_or_a_mark(tmp_path: Path) -> None:
    draw = random.Random(3)
    rows = [
        {"text": " ".join([*draw.choices(WORDS, k=8), mark]), "label": label}
        for label, mark in (("sports_news", "Sports news"), ("weather", "__w__"), ("plain", ""))
        for _ in range(40)
    ]
    found = leaks(loaded(tmp_path, rows).examples)
    assert [(leak.label, leak.word, leak.rows) for leak in found] == [
        ("sports_news", "sports_news", 40),
        ("weather", "__w__", 40),
    ]


def test_real_sets(shared_data: Path) -> None:
    trec = preflight(load(str(shared_data / "classification" / "trec_train.jsonl")))
    assert not [finding for finding in trec if finding.severity == "error"]
    assert any("data.columns.label=fine" in finding.message for finding in trec if finding.name == "columns")
