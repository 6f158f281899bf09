"""The benchmark of fine-tuning: its arithmetic, its words, who takes part, and a tiny turn of ours."""

import argparse
import json
from pathlib import Path

import pytest

from benchmarks import _sft
from benchmarks._sft import OURS, TRAINER, TRL, prepare, turn
from benchmarks._sft import told as told_speed
from benchmarks.sft import COMPILED, DEFAULTS, FULL, LORA, labels_of, told

SIZES = {"weights": 21_000_000, "vocabulary": 8000, "rows": 63, "tokens": 10_000, "learnt": 8_000}
GIVEN = argparse.Namespace(steps=10)


def run(speed: float, grown: int = 900, planned: int = 0) -> dict[str, float]:
    """What one process printed, sizes in MiB."""
    made = {"tokens_per_second": speed, "tokens_per_busy": 1.1 * speed, "idle": 250 * 2**20, "grown": grown * 2**20}
    return made | ({"planned": planned * 2**20} if planned else {})


def test_the_first_steps_are_not_counted() -> None:
    at = [(0.0, 0.0, 100), (10.0, 5.0, 200), (11.0, 5.5, 300), (12.0, 6.0, 400)]
    assert told_speed(at) == {"tokens_per_second": 100.0, "tokens_per_busy": 200.0}
    assert told_speed(at, 3) == {"tokens_per_second": 100.0, "tokens_per_busy": 200.0}
    assert told_speed(at, 1)["tokens_per_second"] == 25.0


def test_who_takes_part() -> None:
    assert labels_of("ours", False, True) == [one for one in OURS if one != COMPILED]
    assert labels_of("memory", True, True) == list(OURS)
    assert labels_of("trl", False, True) == [*TRAINER, *TRL]
    assert labels_of("trl", False, False) == list(TRAINER)
    assert set(labels_of(None, False, True)) == {*OURS, *TRAINER, *TRL} - {COMPILED}


def test_the_ratios_are_of_the_best_peer_and_say_what_was_missed() -> None:
    found = {
        FULL: [run(1000.0, 900, 1000)],
        LORA: [run(1200.0, 500, 400)],
        DEFAULTS: [run(150.0)],
        "TRL, eager, packed": [run(500.0)],
        "TRL, LoRA, eager": [run(400.0)],
        "Trainer, eager": [run(800.0)],
    }
    said = told(found, SIZES, GIVEN, 200e9, ["torch"])
    assert "dragoman, full over TRL's best setting (TRL, eager, packed): 2.00 / 2.00 / 2.00" in said
    assert "aim 3: missed" in said
    assert "dragoman, full over TRL's defaults: 6.67 / 6.67 / 6.67" in said
    assert "aim 6: met" in said
    assert "over the Trainer's best (Trainer, eager): 1.25" in said
    assert "dragoman, LoRA over ours, full: 1.20 / 1.20 / 1.20 (min / median / max), by the processor 1.20" in said
    assert "| dragoman, LoRA | 250 | 500 | 400 | 1.25 |" in said
    assert "off by at most 25 %; aim 15 %: missed" in said
    assert "reach 200 GFLOP/s here, of which ours, full, uses about 69 %" in said


def test_ours_alone_is_told_without_peers() -> None:
    said = told({FULL: [run(1000.0, 900, 1000)]}, SIZES, GIVEN, 0.0, ["torch"])
    assert "TRL's best" not in said and "GFLOP/s" not in said
    assert "off by at most 10 %; aim 15 %: met" in said


def test_a_turn_of_ours_on_a_tiny_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _sft.shape
    monkeypatch.setattr(_sft, "shape", lambda vocabulary, width: whole(vocabulary, width=256, layers=1))
    data = tmp_path / "rows.jsonl"
    rows = [{"instruction": f"Say {word}.", "input": "", "output": f"{word} it is."} for word in ("one", "two") * 9]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    sizes = prepare(tmp_path, data, 16)
    assert sizes["rows"] == 16 and 0 < sizes["learnt"] < sizes["tokens"]
    for label in (FULL, LORA):
        found = turn(label, tmp_path, 2)
        assert found["tokens_per_second"] > 0 and found["planned"] > 0 and found["grown"] >= 0
