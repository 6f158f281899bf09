"""Questions with one right answer for a tiny model that writes, its tokenizer, and how it is trained: a few seconds."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from dragoman.core.types import Example, Message
from dragoman.nn.arch import Arch
from dragoman.nn.store import fresh_lm
from dragoman.nn.templates import TEMPLATES
from dragoman.nn.tokenizer import Tokenizer
from dragoman.train.doors import How, Kit, Step
from dragoman.train.fitting import Lesson
from dragoman.train.loop import Training, begin, fit
from dragoman.train.tuning.full import Full
from tests.nn.tiny_lm import tokens

__all__ = ["HOW", "NAMES", "begun", "kit", "lessons", "model", "steps", "words"]

NAMES = {"a": "ant", "b": "bee", "c": "crow", "d": "dove", "e": "eel and elk", "f": "fox"}
"the right answer is named by the first letter of the question"
_PLAIN: dict[str, Any] = {"vocabulary": 290, "width": 32, "layers": 2, "heads": 4, "feed_forward": 64, "positions": 96}
_PLAIN |= {"dropout": 0.0, "attention_dropout": 0.0, "token_types": 0, "embedding_norm": False, "norm": "rms"}
_PLAIN |= {"norm_place": "before", "final_norm": True, "initial_std": 0.1}
ARCHES = {
    "sft": Arch("llama", kind="decoder", position="rotary", **_PLAIN),
    "seq2seq": Arch("t5", kind="encoder-decoder", decoder_layers=2, position="rotary", **_PLAIN),
}
HOW = How(
    steps=90, rate=1e-2, batch=4, max_length=96, precision="fp32", device="cpu", average=0.0, schedule="cosine",
    warmup=0.05,
)  # fmt: skip


@cache
def words(objective: str = "sft", template: str = "plain") -> Tokenizer:
    """Bytes and a few merges, and how a dialogue is written."""
    name = {"sft": "llama", "seq2seq": "t5"}[objective]
    return tokens(name, Path(mkdtemp()), TEMPLATES[template] if objective == "sft" else "")


def model(objective: str = "sft", seed: int = 0) -> Any:
    """A model that has learnt nothing, of the kind an objective needs."""
    return fresh_lm(ARCHES[objective], seed)


def lessons(count: int = 60, seed: int = 0, **meta: Any) -> list[Example]:
    """Questions of one to seven letters."""
    dice = np.random.default_rng(seed)
    found = []
    for row in range(count):
        first = "abcdef"[row % len(NAMES)]
        asked = first + "".join(dice.choice(list("uvwxyz"), int(dice.integers(0, 7))))
        found.append(Example((Message("user", asked),), (NAMES[first],), meta={"id": f"e{seed}.{row}", **meta}))
    return found


def kit(objective: str = "sft", how: How = HOW, **change: Any) -> Kit:
    """What an objective is given."""
    return replace(Kit(how, words(objective)), **change)


def begun(objective: Any, how: How = HOW, rows: Sequence[Example] | None = None, net: Any = None) -> Training:
    """A training before its first step. What it is `of`, or its class, says which kind of model."""
    name = getattr(objective, "of", type(objective).__name__.lower())
    data = Lesson(lessons() if rows is None else rows)
    return begin(net or model(name), words(name), objective, Full(), data, how)


def steps(training: Training, count: int = 10**6) -> list[Step]:
    """Take so many steps, or all."""
    return [step for _, step in zip(range(count), fit(training), strict=False)]
