"""A rich record of a run, made up but plausible, that fills every section of the report."""

import random
from typing import Any

from tests.report.sample_alignment import aligned

__all__ = ["learnt_tokens", "record"]

_LABELS = (
    "Text Processing Services",
    "Binary Data Services",
    "Data Types",
    "Numeric and Mathematical Modules",
    "Functional Programming Modules",
    "File and Directory Access",
    "Data Persistence",
    "Data Compression and Archiving",
    "File Formats",
    "Cryptographic Services",
    "Generic Operating System Services",
    "Concurrent Execution",
    "Networking and Interprocess Communication",
    "Internet Data Handling",
    "Structured Markup Processing Tools",
    "Internet Protocols and Support",
    "Multimedia Services",
    "Development Tools",
    "Debugging and Profiling",
    "Python Runtime Services <&>",
)


def _figure(value: float, half: float, n: int = 902) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "n": n}


def _rung(
    name: str, quality: tuple[float, float], cost: tuple[float, float, float, float], outcome: str
) -> dict[str, Any]:
    seconds, latency, size, memory = cost
    return {
        "rung": name,
        "metric": "macro_f1",
        "estimate": _figure(*quality, n=903),
        "metrics": {"accuracy": _figure(quality[0] + 0.02, 0.03)},
        "seconds": seconds,
        "p50_ms": latency,
        "p95_ms": latency * 1.8,
        "size_mb": size,
        "outcome": outcome,
        "chosen": name == "lora",
        "predicted": {"memory_mb": memory * 0.9, "seconds": seconds * 1.25},
        "measured": {"memory_mb": memory, "seconds": seconds},
        "trials": [],
        "settings": {},
        "run": f"train-{name}-5f2c9a",
        "note": "",
    }


def _ladder() -> list[dict[str, Any]]:
    rungs = [
        _rung("zero_shot", (0.3817, 0.031), (6.21, 7.91, 90.9, 612.0), "missed"),
        _rung("few_shot", (0.5524, 0.030), (9.87, 8.43, 98.2, 655.0), "missed"),
        _rung("head", (0.6241, 0.029), (31.4, 7.95, 91.0, 701.0), "unproven"),
        _rung("lora", (0.6803, 0.028), (184.2, 8.02, 92.4, 1893.0), "met"),
        _rung("full", (0.6871, 0.028), (412.9, 7.99, 90.9, 2410.0), "met"),
    ]
    for below, rung, gain in zip(rungs, rungs[1:], (0.1707, 0.0717, 0.0562, 0.0068), strict=False):
        rung["comparison"] = {
            "against": below["rung"],
            "difference": _figure(gain, 0.021),
            "mcnemar_p": 0.00002 if gain > 0.05 else 0.482,
            "minimum_detectable": 0.029,
            "better": gain > 0.021,
        }
    rungs[3]["settings"] = {"tuning.rank": 8, "optim.learning_rate": 5e-4, "epochs": 3}
    rungs[3]["trials"] = [
        {"settings": {"optim.learning_rate": rate, "epochs": 3}, "score": score, "seconds": 58.0}
        for rate, score in ((1e-4, 0.6402), (5e-4, 0.6803), (2e-3, float("nan")))
    ]
    rungs[4]["note"] = "tried because --all was given; not better than lora, so not chosen"
    return rungs


def _confusion(draw: random.Random) -> dict[str, Any]:
    counts = []
    for down in range(len(_LABELS)):
        row = [0] * len(_LABELS)
        for _ in range(draw.randint(14, 92)):
            row[down if draw.random() < 0.7 else min(int(draw.expovariate(0.3)), len(_LABELS) - 1)] += 1
        counts.append(row)
    return {"labels": list(_LABELS), "counts": counts}


def _samples() -> dict[str, Any]:
    worst = [
        {
            "text": "Return a <script>alert('x')</script> string with & characters <b>escaped</b>, see https://example.org/a?b=1&c=2",
            "expected": _LABELS[14],
            "answer": _LABELS[13],
            "confidence": 0.9312,
        },
        {
            "text": "أعد سلسلة نصية جديدة بعد استبدال كل الأحرف الخاصة، ثم اكتبها في الملف output.txt.",
            "expected": _LABELS[0],
            "answer": _LABELS[5],
            "confidence": 0.8841,
        },
        {
            "text": "Decode \u202egnirts\u202c with emoji 🧵👩🏽‍💻 and a zero\x00byte, שלום עולם, 日本語のテキスト。",
            "expected": _LABELS[1],
            "answer": _LABELS[0],
            "confidence": 0.8127,
        },
        {"text": "Copy data and mode bits. " * 80, "expected": _LABELS[5], "answer": _LABELS[6], "confidence": None},
    ]
    best = [
        {
            "text": "Acquire a lock, blocking or non-blocking.\n\n    lock.acquire(timeout=1.5)\n",
            "expected": _LABELS[11],
            "answer": _LABELS[11],
            "confidence": 0.9991,
        },
        {
            "text": "Return the arc cosine of x, in radians.",
            "expected": _LABELS[3],
            "answer": _LABELS[3],
            "confidence": 0.9987,
        },
    ]
    return {"best": best, "worst": worst}


def _help() -> dict[str, Any]:
    return {
        "curve": [
            {"rows": rows, "score": score, "low": score - 0.03, "high": score + 0.03}
            for rows, score in ((263, 0.48), (526, 0.55), (1052, 0.6), (2104, 0.65), (4208, 0.6803))
        ],
        "projected": [
            {"rows": rows, "score": score, "low": score - 0.05, "high": score + 0.04}
            for rows, score in ((8416, 0.71), (16832, 0.735))
        ],
        "noise": {
            "count": 37,
            "samples": [
                {"text": "Open a file <readonly>.", "label": _LABELS[6], "suggested": _LABELS[5], "probability": 0.97}
            ],
        },
        "confused": [
            {
                "expected": _LABELS[13],
                "answer": _LABELS[14],
                "count": 14,
                "sample": "Parse an XML-RPC response & return it.",
            },
            {"expected": _LABELS[5], "answer": _LABELS[6], "count": 9, "sample": {"text": "Open a database file."}},
        ],
        "advice": [
            "Label about 4,000 more rows: the curve is still rising.",
            "Look at the 37 rows whose labels may be wrong.",
            "Merge or describe apart the two chapters that are taken for one another.",
        ],
    }


def _data() -> dict[str, Any]:
    draw = random.Random(3)
    sizes = {label: draw.randint(60, 640) for label in _LABELS}
    splits = {
        name: {label: round(size * part) for label, size in sizes.items()}
        for name, part in (("train", 0.7), ("validation", 0.15), ("test", 0.15))
    }
    return {
        "source": "builtin:stdlib",
        "read": sum(sizes.values()) + 468,
        "kept": sum(sizes.values()),
        "dropped": {"empty": 12, "exact duplicate": 401, "conflicting label": 55},
        "columns": {"text": "docstring", "label": "chapter"},
        "splits": {name: {"rows": sum(labels.values()), "labels": labels} for name, labels in splits.items()},
        "lengths": {
            "characters": {"p50": 187, "p95": 1204, "max": 18992},
            "tokens": {"p50": 41, "p95": 277, "max": 4410},
        },
        "duplicates": {"exact": 401, "near": 212, "conflicts": 55},
        "findings": [
            {
                "name": "cut texts",
                "severity": "warning",
                "count": 301,
                "message": "301 of 6,012 texts are longer than 256 tokens; the end is lost.",
                "hint": "set train.max_length=512",
            },
            {
                "name": "rare label",
                "severity": "note",
                "count": 1,
                "message": "'Multimedia Services' has 9 test rows.",
                "hint": "",
            },
        ],
    }


def _lineage() -> list[dict[str, Any]]:
    return [
        {
            "run": f"{verb}-{place}c41d9e",
            "verb": verb,
            "seconds": 3.7 * place + 0.2,
            "inputs": {"data": {"path": f"runs/{verb}/data.jsonl", "sha256": f"{place}a3f" * 16}},
        }
        for place, verb in enumerate(("check", "plan", "prepare", "train", "judge"))
    ]


def _criterion(metric: str, asked: str, kind: str, estimate: dict[str, Any], outcome: str) -> dict[str, Any]:
    return {"metric": metric, "asked": asked, "kind": kind, "estimate": estimate, "outcome": outcome}


def _complaints() -> dict[str, Any]:
    return {
        "metric": "accuracy",
        "rows": 3,
        "before": _figure(0.0, 0.2, 3),
        "now": _figure(0.667, 0.3, 3),
        "difference": _figure(0.667, 0.4, 3),
        "outcomes": {"fixed": 2, "still wrong": 1},
        "cases": [
            {
                "text": "asyncio.Queue",
                "expected": "asyncio",
                "before": "threading",
                "now": "asyncio",
                "outcome": "fixed",
            }
        ],
    }


def _judged() -> dict[str, Any]:
    latency, size = (
        {"value": 14.42, "low": 13.91, "high": 15.2, "n": 200},
        {"value": 92.4, "low": 92.4, "high": 92.4, "n": 1},
    )
    return {
        "test": {"rows": 902, "openings": 1},
        "criteria": [
            _criterion("macro_f1", ">= 0.60", "target", _figure(0.672, 0.029), "met"),
            _criterion("p95_ms", "<= 50", "limit", latency, "met"),
            _criterion("size_mb", "<= 120", "limit", size, "met"),
            _criterion("forgetting", "<= 0.05", "limit", _figure(0.031, 0.024), "unproven"),
            _criterion("accuracy", ">= 0.70", "limit", _figure(0.69961, 0.028), "missed"),
        ],
        "metrics": {
            "macro_f1": _figure(0.672, 0.029),
            "accuracy": _figure(0.69961, 0.028),
            "mcc": _figure(0.661, 0.031),
            "log_loss": _figure(1.084, 0.09),
            "p95_ms": latency,
        },
        "target": {"metric": "macro_f1", "bound": 0.6, "op": ">="},
        "forgetting": {
            "probe": "sentence similarity on 500 held-out pairs",
            "before": _figure(0.842, 0.018, 500),
            "after": _figure(0.811, 0.021, 500),
            "drop": _figure(0.031, 0.024, 500),
        },
        "complaints": _complaints(),
        "paired": [
            {
                "metric": "rougel",
                "leading": True,
                "before": _figure(0.21, 0.03, 142),
                "after": _figure(0.34, 0.03, 142),
                "difference": _figure(0.13, 0.03, 142),
                "p": 0.0005,
                "test": "randomisation",
                "outcome": "better",
            }
        ],
        "answers": [
            {
                "group": "gained",
                "text": "Name a bird.",
                "expected": "A wren.",
                "before": "bird bird bird",
                "after": "A wren.",
                "stopped": [False, True],
                "gain": 1.0,
            }
        ],
        "losses": {"stretch": 10, "points": [2.9, 2.1, 1.6, 1.4]},
        "parity": [
            {"pair": pair, "difference": size, "tolerance": 1e-5, "same_answers": True}
            for pair, size in (("adapter = merged", 3.1e-7), ("merged = saved", 0.0), ("saved = served", 9.4e-7))
        ],
    }


def _answers() -> dict[str, Any]:
    draw = random.Random(7)
    counts = (9, 31, 58, 84, 101, 118, 131, 160, 210)
    right = (0.22, 0.28, 0.31, 0.42, 0.49, 0.58, 0.66, 0.79, 0.93)
    bins = [
        {"confidence": 0.15 + place / 10, "accuracy": share, "count": size}
        for place, (share, size) in enumerate(zip(right, counts, strict=True))
    ]
    per_class = [
        {
            "label": label,
            "f1": _figure(0.45 + 0.5 * draw.random(), 0.02 + 0.03 * draw.random(), 40),
            "rows": draw.randint(9, 96),
        }
        for label in _LABELS
    ]
    per_class.append({"label": "معالجة النصوص", "f1": _figure(0.71, 0.1), "rows": 22})
    return {
        "confusion": _confusion(draw),
        "calibration": {"bins": bins, "ece": _figure(0.0612, 0.014), "null": 0.0273},
        "per_class": per_class,
        "samples": _samples(),
    }


def learnt_tokens() -> list[dict[str, Any]]:
    """A row in which every kind of token occurs."""
    pieces = ["older", " words", "<|user|>", "Greet ", "<me>\n", "<|assistant|>", "Good ", "day.", "<|end|>"]
    kinds = ["cut", "cut", "control", "read", "read", "control", "learnt", "learnt", "stop"]
    learnt = [kind in ("learnt", "stop") for kind in kinds]
    return [{"place": "chats.jsonl:7:1", "ids": [*range(9)], "pieces": pieces, "learnt": learnt, "kinds": kinds}]


def record() -> dict[str, Any]:
    """A new copy of the record: 20 labels, five rungs, the fourth chosen, one criterion unproven and one missed."""
    return {
        "name": "stdlib-area",
        "objective": "Send a question about Python's standard library to the chapter of the manual that answers it.",
        "created": "2025-06-01 12:30 UTC",
        "dragoman": "0.1.0",
        "verdict": "not_met",
        "headline": "lora is proven above the target, 0.672 [0.643, 0.701], but one limit is missed and one unproven.",
        "rung": "lora",
        **_judged(),
        **_answers(),
        "ladder": _ladder(),
        "help": _help(),
        "data": _data(),
        "alignment": aligned(),
        "tokens": learnt_tokens(),
        "warnings": [
            "301 of 6,012 texts were cut at 256 tokens.",
            "The label 'Multimedia Services' has 9 test rows: its F1 is hardly known.",
        ],
        "lineage": _lineage(),
        "environment": {
            "seed": 0,
            "python": "3.11.9",
            "torch": "2.9.0",
            "machine": {"cpu": "x86-64, 2 cores", "memory": "8 GiB", "gpu": None},
        },
        "commands": ["dragoman new stdlib-area", "dragoman run dragoman.toml", "dragoman report runs/run-5f2c9a"],
    }
