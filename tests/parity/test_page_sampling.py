"""The sliders of the page that explains a model compute what `nn.sampling` computes."""

import itertools
import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dragoman.nn import sampling

NAMES = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "frequency_penalty", "presence_penalty")
GRID = ((0, 0.4, 1, 1.7), (0, 3, 40), (1, 0.83, 0.31), (0, 0.07), (1, 1.4), (0, 0.9), (0, -0.6))
PLAIN = dict(zip(NAMES, (1, 0, 1, 0, 1, 0, 0), strict=True))
DRAWS = 20_000


def in_python(logits: Tensor, counts: Tensor, how: dict[str, Any]) -> Tensor:
    """What the next token is drawn from, by the warpers in the order that core/sampling.py states."""
    bent = sampling.repetition(logits, counts, how["repetition_penalty"])
    bent = sampling.frequency_and_presence(bent, counts, how["frequency_penalty"], how["presence_penalty"])
    if how["temperature"] == 0:
        return torch.zeros_like(bent).scatter_(1, bent.argmax(-1, keepdim=True), 1.0)
    bent = sampling.temperature(bent, how["temperature"])
    bent = sampling.top_k(bent, how["top_k"]) if how["top_k"] else bent
    bent = sampling.top_p(bent, how["top_p"]) if how["top_p"] < 1 else bent
    bent = sampling.min_p(bent, how["min_p"]) if how["min_p"] else bent
    return bent.softmax(-1)


def in_the_page(given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same by the page's own script, and draws from the plain distribution. Skips where node is not installed."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    source = files("dragoman.report").joinpath("templates", "explain", "sampling.js").read_text(encoding="utf-8")
    (folder / "given.json").write_text(json.dumps(given))
    (folder / "run.js").write_text(
        f"{source}\nconst given = JSON.parse(require('fs').readFileSync('given.json'));\n"
        "const all = given.hows.map((how) => Array.from(warp(given.logits, given.counts, how)));\n"
        "const own = warp(given.logits, [], given.plain);\n"
        "const order = Array.from(given.logits.keys());\n"
        "const roll = dice(5);\n"
        "const draws = Array.from({ length: given.draws }, () => drawn(own, order, roll()));\n"
        "console.log(JSON.stringify({ all, draws }));\n"
    )
    told = subprocess.run(["node", "run.js"], cwd=folder, capture_output=True, timeout=60, check=True)
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def test_the_sliders_compute_what_python_computes(tmp_path: Path) -> None:
    hows = [dict(zip(NAMES, values, strict=True)) for values in itertools.product(*GRID)]
    logits = 3 * torch.randn(1, 200, generator=torch.Generator().manual_seed(0))  # [1, v]
    seen = {3: 1, 17: 4, int(logits.argmax()): 2}
    counts = torch.zeros(1, 200, dtype=torch.long)
    counts[0, list(seen)] = torch.tensor(list(seen.values()))
    pairs = [list(pair) for pair in seen.items()]
    given = {"logits": logits[0].tolist(), "counts": pairs, "hows": hows, "plain": PLAIN, "draws": DRAWS}
    found = in_the_page(given, tmp_path)
    expected = torch.cat([in_python(logits.double(), counts, how) for how in hows])
    assert (torch.tensor(found["all"], dtype=torch.float64) - expected).abs().max() < 1e-12
    own = in_python(logits.double(), counts, PLAIN)[0]
    often = torch.tensor(found["draws"]).bincount(minlength=200) / DRAWS
    assert ((often - own).abs() < 5 * (own * (1 - own) / DRAWS).sqrt() + 1e-4).all()  # five standard deviations
