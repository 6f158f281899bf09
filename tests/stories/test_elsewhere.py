"""What is saved opens elsewhere: classifiers in transformers, adapters in peft, with equal answers."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dragoman.core.runs import Run, all_runs
from tests.tiny import LABELS, rows

TEXTS = [row["text"] for row in rows(24, seed=5)] + ["oven", "a b c d e f g", "bank " * 60]


def run_of(folder: Path, verb: str) -> Run:
    """The rung's run."""
    return next(one for one in all_runs(folder / "runs") if one.verb == verb)


def ours(run: Run, folder: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Dragoman's probabilities, [texts, labels], by the assistant that is served."""
    from dragoman.stages.assistants import open_assistant

    opened = open_assistant(run)
    turns = opened.assistant.answer(TEXTS)
    return np.array([[turn.answer.scores[label] for label in opened.labels] for turn in turns])


@pytest.mark.parametrize("verb", ["head", "lora", "full"])
def test_a_saved_rung_opens_in_transformers(verb: str, judged_project: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline
    run = run_of(judged_project, verb)
    folder = run.folder / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForSequenceClassification.from_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        pipe = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None, device=-1)
        said = pipe(TEXTS, truncation=True)
    assert set(model.config.id2label.values()) == set(LABELS)
    order = [model.config.id2label[number] for number in range(len(LABELS))]
    theirs = np.array([[next(one["score"] for one in row if one["label"] == label) for label in order] for row in said])
    card = json.loads((folder / "dragoman.json").read_text())
    assert card["labels"] == order
    assert np.abs(theirs - ours(run, judged_project)).max() < 1e-5


def test_the_adapter_opens_in_peft(judged_project: Path, tiny_model: Path) -> None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from peft import PeftModel
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    run = run_of(judged_project, "lora")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=len(LABELS))
        model = PeftModel.from_pretrained(base, str(run.folder / "adapter")).eval()
        tokenizer = AutoTokenizer.from_pretrained(run.folder / "model")
        read = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        theirs = model(**read).logits.softmax(-1).numpy()
    assert np.abs(theirs - ours(run, judged_project)).max() < 1e-5
