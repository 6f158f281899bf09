"""What the ingestion benchmark says of figures that are given, and that its corpus is always the same."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import ingestion
from benchmarks.ingestion import THEIRS, busy_seconds, corpus, missing_packages, paddings, told


def runs(busy: float) -> list[dict[str, float]]:
    figures = {"pieces_per_busy": busy, "pieces_per_second": busy, "products_fp32": 90.0, "products_bf16": 400.0}
    return [{**figures, "pieces": 128, "characters": 50_000}] * 2


def test_a_ratio_and_a_cosine_meet_an_aim_together() -> None:
    measured = {THEIRS: runs(20.0), "bf16": runs(96.0), "onnx": runs(75.0), "fp32": runs(30.0)}
    said = told(measured, {"bf16": 0.99, "onnx": 1.0, "fp32": 1.0}, {THEIRS: 1.73, "ours": 1.01})
    assert "bf16: 4.80 / 4.80 / 4.80 times as fast" in said
    assert said.count("Aim: 4.5 at 0.999: missed.") == 1  # the cosine
    assert said.count("Aim: 3.5 at 0.99999: met.") == 1
    assert said.count("Aim: 1.8 at 0.99999: missed.") == 1  # the ratio
    assert "Padded / real tokens: 1.73 in theirs, 1.01 in ours" in said


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts alike in characters and not in tokens, for the standard library's, which take seconds to read."""
    made = [("a b c d e " if number % 2 else "wonderful ") * 30 + str(number) for number in range(600)]
    monkeypatch.setattr(ingestion, "docstrings", lambda count: made[:count])


@pytest.mark.usefixtures("few")
def test_the_corpus_is_long_documents_always_the_same() -> None:
    found = corpus(3)
    assert found == corpus(3)
    assert len(found) == 3
    assert min(map(len, found)) > 2_000


def test_processor_time_runs() -> None:
    started = busy_seconds()
    sum(range(1_000_000))
    assert busy_seconds() > started


@pytest.mark.usefixtures("few")
@pytest.mark.skipif(bool(missing_packages()), reason="the other side is not installed")
def test_ours_is_padded_less() -> None:
    found = paddings(90)
    assert found["ours"] < 1.2 < found[THEIRS]


@pytest.mark.skipif(bool(missing_packages()), reason="the other side is not installed")
def test_a_turn_prints_its_figures(tmp_path: Path) -> None:
    words = ["--work", "fp32", "--pieces", "18", "--vectors", str(tmp_path / "rows.npy")]
    done = subprocess.run([sys.executable, "-m", "benchmarks.ingestion", *words], capture_output=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["pieces"] == 18
    assert np.load(tmp_path / "rows.npy").shape == (18, 384)
