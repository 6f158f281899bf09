"""A tokenizer of numbers, random documents and tiny language models of each kind: pretraining in milliseconds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dragoman.core.shards import Documents
from dragoman.nn.arch import Arch
from dragoman.nn.store import fresh_lm
from dragoman.train.doors import How, Kit, Step
from dragoman.train.loop import Training, begin, fit
from dragoman.train.objectives.clm import Clm
from dragoman.train.objectives.mlm import Mlm
from dragoman.train.objectives.span import Span
from dragoman.train.packing import Texts
from dragoman.train.tuning.scratch import Scratch

__all__ = ["ARCHES", "HOW", "OBJECTIVES", "Numbers", "begun", "documents", "kit", "model", "steps", "texts"]

SIZE, SENTINELS = 64, 12
PLAIN: dict[str, Any] = {"vocabulary": SIZE, "width": 32, "layers": 2, "heads": 4, "feed_forward": 64, "positions": 64}
PLAIN |= {"dropout": 0.0, "attention_dropout": 0.0, "token_types": 0, "embedding_norm": False, "norm": "rms"}
PLAIN |= {"norm_place": "before", "final_norm": True, "position": "rotary", "initial_std": 0.1}
ARCHES = {
    "clm": Arch("llama", kind="decoder", **PLAIN),
    "mlm": Arch("bert", kind="encoder", **PLAIN),
    "span": Arch("t5", kind="encoder-decoder", decoder_layers=2, **PLAIN),
}
OBJECTIVES = {"clm": Clm(), "mlm": Mlm(), "span": Span()}
HOW = How(steps=12, rate=1e-2, batch=6, max_length=24, precision="fp32", device="cpu", average=0.0)


@dataclass
class Numbers:
    """One token a number; 0 is padding, 1 and 2 stand around a text, 3 is the mask, the last ones are sentinels."""

    pad_id: int = 0
    bos_id: int | None = 1
    eos_ids: frozenset[int] = frozenset({2})
    mask_id: int | None = 3
    size: int = SIZE
    around: tuple[tuple[int, ...], tuple[int, ...]] = ((1,), (2,))
    control_ids: frozenset[int] = frozenset({0, 1, 2, 3, *range(SIZE - SENTINELS, SIZE)})

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Every third token begins a word."""
        return [f"word{number}" if number % 3 == 0 else f"##{number}" for number in ids]

    def number(self, token: str) -> int | None:
        """The sentinels alone have a written form."""
        place = int(token[10:-1]) if token.startswith("<extra_id_") else SENTINELS
        return SIZE - 1 - place if place < SENTINELS else None


def documents(name: str = "texts", count: int = 20, seed: int = 0, longest: int = 40) -> Documents:
    """Documents that count upwards, so that there is something to learn."""
    dice = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        first, length = int(dice.integers(4, 40)), int(dice.integers(1, longest))
        made.append([4 + (first + place) % 44 for place in range(length)])
    return Documents.of(name, made, [2 * len(ids) for ids in made])


def texts(count: int = 20, seed: int = 0) -> Texts:
    """A source of texts."""
    return Texts((documents(count=count, seed=seed),))


def model(objective: str, seed: int = 0) -> Any:
    """A language model of the kind an objective needs."""
    return fresh_lm(ARCHES[objective], seed)


def kit(how: How = HOW, **change: Any) -> Kit:
    """What an objective is given."""
    return replace(Kit(how, Numbers()), **change)


def begun(objective: str = "clm", how: How = HOW, learnt: Texts | None = None, net: Any = None) -> Training:
    """A training before its first step."""
    return begin(net or model(objective), Numbers(), OBJECTIVES[objective], Scratch(), learnt or texts(), how)


def steps(training: Training, count: int = 10**6) -> list[Step]:
    """Take so many steps, or all."""
    return [step for _, step in zip(range(count), fit(training), strict=False)]
