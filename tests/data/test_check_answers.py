"""The preflight of answers that are texts or tags: each fault is found by name, and labels are not looked for."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from dragoman.data.card import card
from dragoman.data.check import Finding, preflight
from dragoman.data.load import Loaded, load
from dragoman.data.split import split

WORDS = tuple(
    f"{first}{second}" for first in ("ri", "sto", "win", "gar", "let", "mar") for second in ("ver", "ne", "dow")
)


def sound(rows: int = 40) -> list[dict[str, Any]]:
    draw = random.Random(5)
    return [
        {"instruction": " ".join(draw.sample(WORDS, k=8)), "output": " ".join(draw.sample(WORDS, k=6))}
        for _ in range(rows)
    ]


def loaded(folder: Path, rows: list[dict[str, Any]], name: str = "a.jsonl") -> Loaded:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load(name, root=folder, task="")


def named(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def test_a_sound_set_has_notes_only(tmp_path: Path) -> None:
    findings = preflight(loaded(tmp_path, sound()))
    assert {finding.severity for finding in findings} == {"note"}
    assert {finding.name for finding in findings} == {"columns", "lengths"}


@pytest.mark.parametrize(
    ("name", "severity", "rows"),
    [
        ("empty-answer", "error", [*sound(), {"instruction": "a", "output": ""}]),
        ("one-answer", "error", [{**row, "output": "the same"} for row in sound()]),
        (
            "frequent-answer",
            "warning",
            [{**row, "output": "I cannot."} if n % 4 else row for n, row in enumerate(sound())],
        ),
        ("different-answers", "note", [*sound(), {**sound()[0], "output": "another"}]),
        ("secret", "warning", [*sound(), {"instruction": "key?", "output": "AKIA" + "IOSFODNN7EXAMPLE"}]),
    ],
)
def test_each_fault_is_found_by_name(tmp_path: Path, name: str, severity: str, rows: list[dict[str, Any]]) -> None:
    assert named(preflight(loaded(tmp_path, rows)), name).severity == severity


def test_prompts_that_stand_in_the_test_set(tmp_path: Path) -> None:
    test = loaded(tmp_path, [{**sound()[3], "output": "something else"}], "test.jsonl")
    assert named(preflight(loaded(tmp_path, sound()), test=test), "overlap").severity == "error"


def test_a_prompt_and_its_answer_are_read_together(tmp_path: Path) -> None:
    findings = preflight(
        loaded(tmp_path, sound()), count=lambda texts: [len(text.split()) for text in texts], max_length=13
    )
    assert named(findings, "cut").count == 40
    assert "6 tokens at the median" in named(findings, "lengths").message


def test_tags_are_counted(tmp_path: Path) -> None:
    rows = [{"tokens": row["instruction"].split(), "tags": ["O"] * 6 + ["B-a", "I-a"]} for row in sound(6)]
    assert named(preflight(loaded(tmp_path, rows)), "tags").message == "6 of 6 rows hold a tagged word; a 6"
    bare = [{**row, "tags": ["O"] * 8} for row in rows]
    assert named(preflight(loaded(tmp_path, bare)), "no-entity").severity == "error"


def test_the_card_of_texts_and_of_plain_text(tmp_path: Path) -> None:
    read = loaded(tmp_path, sound())
    parts = split(read.examples, labelled=False)
    assert sum(len(part) for _, part in parts.items()) == 40
    made = card([read], parts)
    assert (made["shape"], made["labels"]) == ("instruct", {})
    assert made["answers"]["characters"]["max"] < made["length"]["characters"]["max"]
    assert made["samples"][""][0]["answer"] == parts.train[0].answers[0]
    plain = loaded(tmp_path, [{"text": row["output"]} for row in sound()])
    assert plain.shape == "plain"
    assert card([plain], split(plain.examples, labelled=False))["duplicates"]["exact"] == 0
