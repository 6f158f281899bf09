"""A time is answered with a model, a file of runs with a law."""

from pathlib import Path

import pytest

from tests.command import dragoman


def test_a_time_is_answered_with_a_model_that_fits() -> None:
    words = ("plan", "time=10 min", "seconds=0.01", "device=cpu", "vocabulary=512", "length=64", "memory=1 GiB")
    said = dragoman(*words, "--json")
    assert said.code == 0, said
    facts = said.json
    advice = facts["advice"]
    assert advice["budget"] == pytest.approx(600 * facts["flops_per_second"])
    assert advice["memory"]["total"] <= 2**30
    assert advice["low"] < advice["loss"] < advice["high"]
    assert [law["name"] for law in facts["laws"]] == [
        "Besiroglu, corrected",
        "Hoffmann, all digits",
        "Hoffmann, as printed",
    ]


def test_a_file_of_runs_is_answered_with_a_law(tmp_path: Path) -> None:
    lines = ["parameters,tokens,loss"]
    for size in (1e7, 3e7, 1e8, 3e8, 1e9):
        lines += [f"{size},{read},{1.7 + 300 / size**0.33 + 900 / read**0.35}" for read in (1e9, 3e9, 1e10, 3e10)]
    file = tmp_path / "runs.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    facts = dragoman("plan", f"fit={file}", "--json").json
    assert facts["law"]["floor"] == pytest.approx(1.7, rel=0.01)
    assert facts["runs"] == 15, "the five highest losses are left out"
    assert facts["laws"][0]["name"] == "fitted to 15 runs"
    shown = dragoman("plan", f"fit={file}").whole
    assert "why they differ" in shown
    assert "Hoffmann, as printed" in shown


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("time=soon",), 'time cannot be "soon"'),
        (("time=1 h", "seconds=0"), "the machine is not measured"),
        (("fit=none.csv",), "cannot be read"),
    ],
)
def test_a_mistake_is_one_message(words: tuple[str, ...], problem: str) -> None:
    said = dragoman("plan", *words)
    assert said.code == 2
    assert problem in said.whole
