"""From raw text to a model folder: docs/pretraining.md is walked, a kill costs nothing, and transformers opens it."""

import json
import random
import re
import shlex
import signal
import time
from pathlib import Path

import pytest

from dragoman.core.runs import Run
from tests.command import ROOT, dragoman, ended, spawn

SMALL = ("size=60K", "vocabulary=320", "train.steps=12", "train.max_length=32", "train.batch=8", "train.device=cpu")


def write_texts(folder: Path, count: int = 120, seed: int = 0) -> Path:
    """Files of sentences of a small language whose every file is another."""
    folder.mkdir()
    dice = random.Random(seed)
    sounds = [one + two for one in "bdfgklmnprst" for two in "aeiou"]
    words = ["".join(dice.choices(sounds, k=dice.randint(1, 3))) for _ in range(150)]
    for number in range(count):
        lines = [" ".join(dice.choices(words, k=9)).capitalize() for _ in range(8)]
        (folder / f"{number:03}.txt").write_text(". ".join(lines) + ".\n", encoding="utf-8")
    return folder


def blocks(page: Path) -> list[list[str]]:
    """The words of each command of a page."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S) for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def shrunk(words: list[str], folder: Path) -> list[str]:
    """A command of the page with a model and a time that a test can wait for."""
    if words[1] in ("pretrain", "train"):
        kept = [word for word in words if not word.startswith(("size=", "time=", "train.steps", "train.batch"))]
        own = [word for word in SMALL if not (word.startswith("vocabulary") and "corpus" in words[2])]
        return [*kept, *(word for word in own if words[1] == "pretrain" or not word.startswith("vocabulary"))]
    if words[1] == "corpus":
        return [*[word.replace("builtin:stdlib", "more") for word in words], "how.size=320", "workers=1"]
    if words[1] == "sweep":
        kept = [word for word in words if not word.startswith(("size=", "train.steps", "over.train.batch"))]
        own = [word for word in SMALL if not word.startswith("vocabulary")]
        return [*kept, *own, "trials=2", "seeds=2", "least=0.5", "eta=2", "range_steps=20"]
    if words[1] == "plan":
        return [*words, "seconds=0.1"] if "formats=true" not in words else words
    found = sorted(folder.glob(words[2])) if len(words) > 2 else []
    return [words[0], words[1], str(found[-1]), *words[3:], "max_tokens=5"] if found else words


@pytest.mark.slow
def test_the_tour_of_pretraining(tmp_path: Path) -> None:
    write_texts(tmp_path / "texts")
    write_texts(tmp_path / "more", 60, seed=1)
    walked = []
    for words in blocks(ROOT / "docs" / "pretraining.md"):
        told = dragoman(*shrunk(words, tmp_path)[1:], folder=tmp_path)
        assert told.code == 0, (words, told.whole)
        walked.append(words[1])
    assert set(walked) >= {"pretrain", "corpus", "generate", "report", "train", "plan"}


def test_transformers_opens_what_was_trained(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    write_texts(tmp_path / "texts")
    told = dragoman("pretrain", "texts", *SMALL, "--json", folder=tmp_path)
    assert told.code == 0, told.whole
    found = told.json
    assert 0 < found["held_out"]["bits_per_byte"]["low"] < found["held_out"]["bits_per_byte"]["high"] < 12
    model = AutoModelForCausalLM.from_pretrained(tmp_path / found["model"])
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / found["model"])
    with torch.no_grad():
        logits = model(**tokenizer("The cat sat", return_tensors="pt")).logits
    assert logits.isfinite().all()
    run = Run.open(tmp_path / "runs" / found["run"])
    assert run.results["record"]["plan"][0]["measured"] > 0
    assert (tmp_path / found["report"]).read_text().count("<svg") > 3
    again = dragoman("pretrain", "texts", *SMALL, "--json", folder=tmp_path)
    assert again.json == found
    assert "found again" in again.err


@pytest.mark.slow
def test_killed_and_given_again_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    write_texts(tmp_path / "texts")
    words = (
        "pretrain",
        "texts",
        *SMALL,
        "train.save_seconds=0",
        "train.save_share=1",
        "train.precision=fp32",
        "--json",
    )
    running = spawn(*words, folder=tmp_path)
    for _ in range(600):
        if list(tmp_path.glob("runs/pretrain-*/training/step-*")):
            break
        time.sleep(0.1)
    running.send_signal(signal.SIGKILL)
    ended(running)
    told = dragoman(*words, folder=tmp_path)
    assert told.code == 0, told.whole
    assert "going on from step" in told.err
    first = (tmp_path / told.json["model"] / "model.safetensors").read_bytes()
    plan = json.loads((tmp_path / "runs" / told.json["run"] / "plan.json").read_text())
    whole = dragoman(*words, "runs=again", folder=tmp_path)
    assert plan["how"] == json.loads((tmp_path / "again" / whole.json["run"] / "plan.json").read_text())["how"]
    assert (tmp_path / whole.json["model"] / "model.safetensors").read_bytes() == first


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pretrain",), "no text is named"),
        (("pretrain", "texts", "objective=clmm"), "did you mean 'clm'"),
        (("pretrain", "texts", "objective=classify"), "does not learn from plain texts"),
        (("pretrain", "texts", "time=soon"), 'time cannot be "soon"'),
        (("pretrain", "texts", "train.batsch=3"), "train.batsch"),
        (("pretrain", "nowhere"), "there is no file nowhere"),
        (("pretrain", "texts", "family=bertt", *SMALL), "family"),
        (("pretrain", "texts", "family=bert"), "clm needs a decoder"),
        (("pretrain", "texts", "size=15X"), "15X"),
        (("pretrain", "texts", "memory=lots"), "memory"),
        (("train", "objective=clm"), "no texts are named"),
        (("train", "objective=clm", "corpus=texts", "tuning=head"), "learns whole"),
        (("train", "objective=clm", "corpus=texts", "data.seed=1"), "no setting 'data'"),
    ],
)
def test_mistakes_are_one_message(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    write_texts(tmp_path / "texts", 40)
    told = dragoman(*words, folder=tmp_path)
    assert told.code == 2
    assert said in told.whole


def test_a_model_is_gone_on_with_on_a_corpus_of_its_own_tokens_alone(tmp_path: Path) -> None:
    write_texts(tmp_path / "texts")
    first = dragoman("pretrain", "texts", *SMALL, "--json", folder=tmp_path).json
    other = ("corpus", "texts", "out=other", "how.size=400", "workers=1")
    assert dragoman(*other, folder=tmp_path).code == 0
    refused = dragoman("pretrain", "other", f"model={first['model']}", "train.steps=2", folder=tmp_path)
    assert refused.code == 2
    assert "tokenised otherwise" in refused.whole
    words = ("pretrain", "texts", f"model={first['model']}", *SMALL[2:], "train.rate=1e-4", "--json")
    told = dragoman(*words, folder=tmp_path)
    assert told.code == 0, told.whole
    better = [found["held_out"]["bits_per_byte"]["value"] for found in (first, told.json)]
    assert better[1] < better[0]
    assert dragoman(*words, folder=tmp_path).json == told.json
