"""Runs small enough to be exported in a test: with a verdict, over a base, one that writes, one that quotes."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dragoman.core import durable
from dragoman.core.project import Documents
from dragoman.core.runs import Run
from dragoman.models.source import fingerprint
from tests.command import dragoman
from tests.nn.tiny import classifier_folder
from tests.writers import write_model

__all__ = ["ELSEWHERE", "classifier", "prompted", "quoter", "writer"]

ELSEWHERE = "/srv/someone/secret place/model"
SCOPE = {"name": "Notes of ours", "objective": "Tell colours apart.", "task": "classify"}


def classifier(root: Path, judged: bool = True) -> Run:
    """A run of lora whose model labels texts by a colour, with a verdict where it is `judged`."""
    model = classifier_folder("bert", root.parent / "made")
    card = {
        "kind": "classifier",
        "labels": ["blue", "green", "red"],
        "multi_label": False,
        "max_length": 32,
        "base": ELSEWHERE,
    }
    made = _made(root, "lora", model, {**card, "task": "classify"})
    if judged:
        told = {"verdict": "not_met", "rung_run": made.id, "samples": [{"text": "a sealed row"}]}
        Run.begin(root, "run", {}, {"rung": made}).finish(told)
        Run.begin(root, "evaluate", {}, {"model": made}).finish({"memory_mb": 900.0, "rung_run": made.id})
    return made


def prompted(root: Path, base: Path, **more: Any) -> Run:
    """A run of zero_shot over a base model that lies in a folder of this machine."""
    card = {"kind": "zero_shot", "labels": ["kitchen", "money"], "descriptions": ["butter and salt", "a bank loan"]}
    card |= {"multi_label": False, "temperature": 0.1, "base": str(base), "fingerprint": fingerprint(base)}
    return _made(root, "zero_shot", None, {**card, "max_length": 32, "task": "classify", **more})


def writer(root: Path) -> Run:
    """A run of full whose model writes."""
    model = write_model(root.parent / "writes", template="{% for m in messages %}{{ m.content }} {% endfor %}")
    card = {"kind": "writer", "labels": [], "multi_label": False, "base": "", "max_tokens": 4, "task": "chat"}
    return _made(root, "full", model, card)


def quoter(root: Path, text: str = "The dough rests for two hours before it is baked.") -> Run:
    """A run of rag that quotes from one document, found by words alone."""
    notes = root.parent / "notes"
    notes.mkdir()
    (notes / "bread.md").write_text(f"# Bread\n\n{text}\n")
    index = notes.parent / "index.sqlite"
    told = dragoman("index", str(notes), f"index={index}", "embedder=none")
    assert told.code == 0, told.whole
    documents = asdict(Documents(source=str(notes), embedder="none", threshold=-1.0))
    card = {"kind": "rag", "labels": [], "multi_label": False, "task": "answer", "documents": documents, "model": ""}
    return _made(root, "rag", None, {**card, "rerank": "", "fingerprint": "", "around": {}}, index)


def _made(root: Path, rung: str, model: Path | None, card: Mapping[str, Any], index: Path | None = None) -> Run:
    made = Run.begin(root, rung, {"seed": 0}, {ELSEWHERE: "f" * 64, "parts": "prepare-0"})

    def fill(stage: Path) -> None:
        for file in model.iterdir() if model else ():
            if file.is_file() and file.name != "manifest.json":
                (stage / file.name).write_bytes(file.read_bytes())
        if index:
            (stage / index.name).write_bytes(index.read_bytes())
        (stage / "dragoman.json").write_text(json.dumps(dict(card)))

    durable.publish(made.folder / "model", fill)
    return made.finish({"project": {"scope": SCOPE, "data": {"source": ELSEWHERE}}, "base": ELSEWHERE}, ("model",))
