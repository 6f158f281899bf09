"""Rich records of a pretraining and of a sweep, made up but plausible, that fill every section of their report."""

import math
import random
from typing import Any

from tests.report.sample import learnt_tokens, record
from tests.report.sample_alignment import aligned, scored

__all__ = ["pretraining", "sweep"]

_STEPS, _STRETCH = 6000, 12
_POINTS = _STEPS // _STRETCH
_TOKENS = 16_384


def _rate(step: float) -> float:
    """Warm-up, a plateau, and a decay."""
    return 3e-3 * min(step / 300, 1.0, max((_STEPS - step) / 1200, 0.0))


def _loss(step: float) -> float:
    return 1.45 + 7.4 * (1 + step / 25) ** -0.45 - 0.12 * max(step / _STEPS - 0.8, 0)


def _history(draw: random.Random) -> list[dict[str, Any]]:
    found = []
    for step in range(0, _STEPS + 1, 400):
        found.append(
            {
                "step": step,
                "epoch": step / 1480,
                "tokens": step * _TOKENS,
                "loss": _loss(step) + draw.gauss(0, 0.01),
                "validation": _loss(step) + 0.05 + draw.gauss(0, 0.01),
                "bits_per_byte": 0.41 * _loss(step) + draw.gauss(0, 0.004) + (0.03 if step > 5500 else 0),
                "seconds": step * 0.195,
                "rate": _rate(step),
                "norm": 1.9 * (1 + step / 90) ** -0.3,
                "tokens_per_second": draw.gauss(84_000, 1200),
                "accuracy": 0.2 + 0.3 * step / _STEPS,
            }
        )
    return found


def _samples() -> list[dict[str, Any]]:
    texts = (
        "e t ao  n<i>s</i> rthe eee the",
        "the the file of the return of the a the function of the the path",
        "the name of the file. If the file is not found, the function returns the name of the object that",
        "the path of the file as a string. If *mode* is given, it is one of 'r' or 'w'; see open.\n\nRaises OSError",
        "the path of a temporary file, which is removed when it is closed. The *mode* argument defaults to 'w+b'.",
        "the file descriptor of the stream if it has one. An OSError is raised if it does not use one. " * 12,
    )
    found = []
    for place, text in enumerate(texts):
        for prompt in ("Return ", "Open the file "):
            found.append({"step": place * 1200, "prompt": prompt, "text": text if prompt == "Return " else text[::-1]})
    return found


def _corpus() -> dict[str, Any]:
    return {
        "sources": [
            {"source": "builtin:stdlib", "weight": 1.0, "documents": 6012, "bytes": 3_812_455},
            {"source": "texts/*.txt", "weight": 3.0, "documents": 18_233, "bytes": 91_002_311},
        ],
        "documents": 24_245,
        "tokens": 24_248_912,
        "bytes": 94_814_766,
        "tokenizer": "vocab-5f2c9a1b7e",
        "vocabulary": 8000,
        "filters": [
            {"name": "too short", "count": 811, "examples": ["ok", {"text": "<b>yes</b>"}]},
            {"name": "repeated lines", "count": 122, "examples": ["buy now\n" * 60]},
            {"name": "symbols", "count": 37, "examples": ["#### ---- ####"]},
        ],
        "duplicates": {"exact documents": 1204, "near documents": 588, "paragraphs": 4410},
        "languages": {"English": 22_190, "German": 1410, "unknown": 645},
        "masked": {"e-mail address": 412, "key": 3, "telephone number": 88},
        "split": {"train": {"documents": 23_760, "tokens": 23_771_402}, "validation": {"documents": 485}},
    }


def _plan() -> list[dict[str, Any]]:
    return [
        {"what": "memory", "predicted": 1.31e9, "measured": 1.38e9, "unit": "bytes"},
        {"what": "time", "predicted": 1200.0, "measured": 1169.4, "unit": "s"},
        {"what": "tokens/s", "predicted": 81_000.0, "measured": 84_051.0, "unit": "tokens/s"},
        {"what": "loss", "predicted": 1.62, "measured": 1.557, "unit": "nats"},
        {"what": "operations", "predicted": 4.9e15, "measured": 4.61e15, "unit": "FLOPs"},
    ]


def _memory() -> dict[str, Any]:
    full = {"weights": 31.4e6, "gradients": 31.4e6, "optimizer": 62.8e6, "activations": 1.02e9, "logits": 131e6}
    lora = {"weights": 31.4e6, "gradients": 0.6e6, "optimizer": 1.2e6, "activations": 0.81e9, "logits": 131e6}
    return {"full": [{"part": part, "bytes": size} for part, size in full.items()], "lora": lora}


def _figures() -> dict[str, Any]:
    draw = random.Random(12)
    return {
        "accuracy": [0.2 + 0.3 * place / _POINTS + draw.gauss(0, 0.02) for place in range(_POINTS)],
        "margin": [place / 400 + draw.gauss(0, 0.05) for place in range(_POINTS)],
        "beta": [0.05] * _POINTS,
    }


def _model() -> dict[str, Any]:
    sizes = {"parameters": 7_852_032, "width": 256, "layers": 8, "heads": {"query": 4, "key and value": 2}}
    return {"family": "llama", "kind": "decoder", **sizes, "tied": True}


def pretraining() -> dict[str, Any]:
    """A new copy of the record of a pretraining: 500 losses, 16 evaluations, every section filled."""
    draw = random.Random(11)
    return {
        "name": "stdlib-small",
        "created": "2025-06-01 12:30 UTC",
        "dragoman": "0.1.0",
        "kind": "pretrain",
        "headline": "0.652 bits per byte on held-out text after 19 min 29 s, 7,852,032 parameters from scratch.",
        "tiles": {
            "bits per byte": {"value": 0.6521, "low": 0.6403, "high": 0.6648, "n": 485},
            "tokens/s": 84_051.3,
            "of peak": "41.2 %",
            "parameters": 7_852_032,
            "tokens": 98_304_000,
            "time": "19 min 29 s",
        },
        "losses": {
            "stretch": _STRETCH,
            "points": [_loss((place + 0.5) * _STRETCH) + draw.gauss(0, 0.05) for place in range(_POINTS)],
        },
        "rates": {"stretch": _STRETCH, "points": [_rate((place + 0.5) * _STRETCH) for place in range(_POINTS)]},
        "history": _history(draw),
        "speed": [
            {"step": step, "tokens_per_second": speed, "fraction": speed / 204_000}
            for step in range(50, _STEPS, 50)
            for speed in [draw.gauss(84_000, 1500) if step % 1500 else 52_000.0]
        ],
        "plan": _plan(),
        "memory": _memory(),
        "samples": _samples(),
        "corpus": _corpus(),
        "alignment": aligned(),
        "scorer": scored(),
        "figures": {"stretch": _STRETCH, "points": _figures()},
        **{key: record()[key] for key in ("forgetting", "parity")},
        "data": {key: record()["data"][key] for key in ("source", "read", "kept")},  # a verdict's page shows the rest
        "tokens": learnt_tokens(),
        "model": _model(),
        "warnings": ["The corpus was read 4.1 times: more text would help more than more steps."],
        "settings": {
            "objective": {"name": "clm"},
            "train": {"batch": 32, "length": 512, "optimizer": "muon", "schedule": "wsd", "clip": 1.0},
            "seed": 0,
        },
        "environment": {"seed": 0, "python": "3.11.9", "machine": {"cpu": "x86-64, 2 cores", "memory": "8 GiB"}},
        "lineage": [
            {
                "run": "corpus-0c41d9e22a",
                "verb": "corpus",
                "seconds": 41.2,
                "inputs": {"text": {"path": "texts/*.txt"}},
            },
            {"run": "pretrain-91ab3f00c2", "verb": "pretrain", "seconds": 1169.4, "inputs": {}},
        ],
        "commands": ["dragoman corpus texts/", 'dragoman pretrain texts/ size=auto time="20 min"'],
    }


def _trial(number: int, draw: random.Random) -> dict[str, Any]:
    rate, width = 10 ** draw.uniform(-4.3, -1.7), draw.choice([128, 192, 256, 384])
    schedule = draw.choice(["cosine", "wsd", "linear"])
    settings = {
        "train.rate": rate,
        "train.batch": draw.choice([16, 32, 64]),
        "train.schedule": schedule,
        "train.decay": draw.uniform(0.0, 0.2),
        "width": width,
        "tied": draw.random() < 0.5,
        "seed": 0,
    }
    value = 1.5 + 0.35 * (math.log10(rate) + 2.7) ** 2 + 30 / width + draw.gauss(0, 0.02)
    value += 0.06 if schedule == "linear" else 0.0
    state = "failed" if number in (7, 19) else "pruned" if value > 2.1 and number % 2 else "complete"
    steps = 1000 if state == "complete" else 200 if state == "pruned" else 31
    return {
        "number": number,
        "state": state,
        "value": None if state == "failed" else value + (0.4 if state == "pruned" else 0.0),
        "step": steps,
        "settings": settings,
        "seconds": steps * 0.061,
    }


def sweep() -> dict[str, Any]:
    """A new copy of the record of a sweep: 32 trials, some stopped early, two failed, and a range test before them."""
    draw = random.Random(5)
    trials = [_trial(number, draw) for number in range(32)]
    best = min((trial for trial in trials if trial["state"] == "complete"), key=lambda trial: trial["value"])
    rates = [1e-5 * (1e5 ** (place / 119)) for place in range(120)]
    losses = [
        5.0 - 2.1 / (1 + math.exp(-3 * (math.log10(rate) + 3))) + math.exp(2.3 * (math.log10(rate) + 1.1))
        for rate in rates
    ]
    return {
        "name": "stdlib-sweep",
        "created": "2025-06-01 12:30 UTC",
        "dragoman": "0.1.0",
        "kind": "sweep",
        "metric": "bits per byte",
        "higher": False,
        "headline": f"Trial {best['number']} is the best of 32: {best['value']:.3f} bits per byte.",
        "tiles": {"bits per byte": best["value"], "trials": 32, "time": "24 min 10 s"},
        "trials": trials,
        "best": {"number": best["number"], "value": best["value"], "settings": best["settings"]},
        "range_test": {
            "points": [[rate, loss + draw.gauss(0, 0.03)] for rate, loss in zip(rates, losses, strict=True)],
            "chosen": 0.0032,
        },
        "settings": {"trials": 32, "time": "30 min"},
        "commands": ["dragoman sweep texts/ trials=32"],
    }
