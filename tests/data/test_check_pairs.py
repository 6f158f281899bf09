"""What the preflight says of preferences: biases with their interval, contradictions, thumbs, prompts that leak."""

import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.types import Example, Message
from dragoman.data.check import preflight
from dragoman.data.check_pairs import FORMS, pairs_found
from dragoman.data.finding import Finding
from dragoman.data.load import Loaded, load


def pair(number: int, chosen: str, rejected: str, **meta: Any) -> Example:
    return Example((Message("user", f"question {number}"),), (chosen,), rejected, {"place": f"a:{number}", **meta})


def named(found: list[Finding], name: str) -> list[Finding]:
    return [one for one in found if one.name == name]


def test_length_is_reported_where_it_decides() -> None:
    rows = [pair(n, "long enough", "short") if n % 10 else pair(n, "brief", "a longer one") for n in range(100)]
    [found] = pairs_found(rows)
    assert (found.name, found.severity, found.count) == ("length-bias", "note", 100)
    # Wilson's interval of 90 of 100 by hand: 0.826 to 0.945.
    assert found.message == "the longer answer wins in 90.0% of 100 pairs (95 %: 82.6% to 94.5%)"
    even = [pair(n, "long enough", "short") if n % 2 else pair(n, "brief", "a longer one") for n in range(100)]
    assert pairs_found([*even, pair(100, "alike", "equal"), pair(101, "same", "same")]) == []


def test_pairs_of_one_prompt_are_one_trial() -> None:
    rows = [pair(n % 3, "long enough", f"sh{n}") for n in range(60)]
    assert pairs_found(rows) == []  # 3 of 3 prompts: the interval reaches down to 44 %


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("with a list", "these:\n- one\n- two"),
        ("with a list", "these:\n1. one"),
        ("with markdown", "# Title\ntext"),
        ("with markdown", "a **bold** word"),
        ("that opens as a refusal", "I\u2019m sorry, but no."),
        ("that opens as a refusal", "I really can't help with that."),
        ("that opens as a refusal", "As an AI I have no feelings."),
    ],
)
def test_each_form_is_known_and_reported(form: str, text: str) -> None:
    assert FORMS[form](text)
    plain = "it is the way it is, so it is".ljust(len(text), "!")[: len(text)]
    assert not any(has(plain) for has in FORMS.values())
    [found] = named(pairs_found([pair(n, plain, text) for n in range(12)]), "format-bias")
    assert found.message.startswith(f"the answer {form} wins in 0.0% of 12 pairs")


def test_contradictions() -> None:
    rows = [pair(0, "a", "b"), pair(0, "b", "a"), pair(1, "a", "b"), pair(2, "b", "a")]
    rows += [pair(3, "a", "", good=True), pair(3, "a", "", good=False)]
    [found] = named(pairs_found(rows), "contradicting-pairs")
    assert (found.severity, found.count) == ("warning", 2)


def test_thumbs_are_counted() -> None:
    rows = [pair(n, f"a{n}", "", good=n % 2 == 0) for n in range(5)]
    [found] = pairs_found(rows)
    assert (found.name, found.message) == ("thumbs", "3 answers are held good and 2 bad")
    [alone] = pairs_found(rows[::2])
    assert (alone.name, alone.severity) == ("one-thumb", "warning")


def loaded(folder: Path, rows: list[dict[str, Any]], name: str = "a.jsonl") -> Loaded:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load(name, root=folder, task="chat")


def test_a_whole_preflight(tmp_path: Path) -> None:
    rows = [{"prompt": f"{n * 7919 % 1000} {n}", "chosen": f"a long answer {n}", "rejected": "no"} for n in range(30)]
    data = loaded(tmp_path, rows)
    assert {one.name for one in preflight(data)} == {"columns", "lengths", "length-bias"}
    test = loaded(tmp_path, [{**rows[4], "chosen": "another"}], "test.jsonl")
    [leak] = named(preflight(data, test=test), "prompt-leak")
    assert (leak.severity, leak.count) == ("error", 1) and "a.jsonl:5:1" in leak.message
    assert named(preflight(data, test=test, on_overlap="drop"), "prompt-leak")[0].severity == "warning"
    rows[3]["rejected"] = "key AKIA" + "IOSFODNN7EXAMPLE"
    assert named(preflight(loaded(tmp_path, rows)), "secret")[0].count == 1


def test_the_biases_of_a_public_set(shared_data: Path) -> None:
    data = load(str(shared_data / "preference" / "hh_harmless.jsonl"), task="chat")
    found = pairs_found(data.examples)
    assert named(found, "length-bias")[0].message.startswith("the longer answer wins in 45.0% of 1,468 pairs")
    assert "opens as a refusal wins in 73.4% of 173 pairs" in named(found, "format-bias")[1].message
