"""The rules and the linear model that a reward must beat: their figures on made and on public pairs."""

import math
import random
from pathlib import Path

import numpy as np
import pytest

from dragoman.core.doors import Reward
from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.data.load import load
from dragoman.evals.pair_baselines import fit_linear, pair_baselines

WORDS = [f"{one}{other}" for one in ("ba", "ri", "sto", "gen", "lu") for other in ("ver", "ne", "dow", "mi")]


def made(count: int, *, flipped: float = 0.0, prompts: int = 0) -> list[Example]:
    """Pairs of which the answer that holds "ok" is chosen, but for the share `flipped`."""
    draw = random.Random(3)
    rows = []
    turned_round = draw.sample(range(count), round(flipped * count))
    for number in range(count):
        good, bad = " ".join([*draw.choices(WORDS, k=6), "ok"]), " ".join([*draw.choices(WORDS, k=6), "ko"])
        chosen, rejected = (bad, good) if number in turned_round else (good, bad)
        rows.append(Example((Message("user", f"question {number % (prompts or count)}"),), (chosen,), rejected))
    return rows


def test_a_word_that_decides_is_learnt() -> None:
    model = fit_linear(made(200))
    rated = model.rate((), ["a b ok", "a b ko", "", "\ud800 ok"])
    assert rated[0] > 0 > rated[1] and rated[2] == 0.0
    assert model.rate((), []).shape == (0,)
    assert isinstance(model, Reward)


def test_the_weights_are_the_minimum() -> None:
    """At the minimum the slope is 0: strength * w = sum of sigmoid(-margin) * (features of chosen - of rejected)."""
    pairs = made(60, flipped=0.2)
    model = fit_linear(pairs, strength=0.5)

    def loss(weights: np.ndarray) -> float:
        moved = type(model)(model.grams, model.rarity, weights)
        margins = moved.rate((), [one.answers[0] for one in pairs]) - moved.rate((), [one.rejected for one in pairs])
        return float(np.logaddexp(0, -margins).sum() + 0.25 * weights @ weights)

    best, draw = loss(model.weights), np.random.default_rng(0)
    for size in (1e-1, 1e-2):
        for _ in range(20):
            step = draw.normal(size=len(model.weights))
            assert loss(model.weights + size * step / np.linalg.norm(step)) > best


def test_labels_at_random_teach_nothing() -> None:
    found = pair_baselines(made(300, flipped=0.5))["linear"]
    assert found.accuracy.low < 0.5 < found.accuracy.high
    assert found.nll.value > math.log(2) - 0.02


def test_the_rules_of_length() -> None:
    rows = [
        Example((Message("user", f"q {n}"),), ("long answer",) if n % 4 else ("tiny",), "short") for n in range(100)
    ]
    rows.append(Example((Message("user", "q"),), ("even",), "same"))
    found = pair_baselines(rows, folds=5)
    assert found["longer"].accuracy.value == pytest.approx(75.5 / 101)
    assert found["shorter"].accuracy.value == pytest.approx(25.5 / 101)
    # Both know how far to trust themselves: the entropy of 0.75 is 0.562, and the share is known from 80 pairs only.
    assert found["longer"].nll.value == pytest.approx(found["shorter"].nll.value)
    assert found["longer"].nll.value == pytest.approx(0.563, abs=0.02)
    assert found["linear"].accuracy.n == 101


def test_pairs_of_one_prompt_are_held_out_together() -> None:
    """One word a prompt decides: who has seen the prompt knows, who has not cannot."""
    draw = random.Random(1)
    rows = [
        Example((Message("user", f"question {n % 40}"),), (f"p{n % 40} {draw.choice(WORDS)}",), draw.choice(WORDS))
        for n in range(400)
    ]
    rows = [one if n % 40 < 20 else Example(one.prompt, (one.rejected,), one.answers[0]) for n, one in enumerate(rows)]
    assert fit_linear(rows).rate((), ["p3"])[0] > 0.5 > -0.5 > fit_linear(rows).rate((), ["p33"])[0]
    found = pair_baselines(rows)["linear"]
    assert found.accuracy.low < 0.5 < found.accuracy.high


def test_what_cannot_be_measured_is_said() -> None:
    with pytest.raises(UserError, match="none is a pair"):
        pair_baselines([Example((), ("a",))])
    with pytest.raises(UserError, match="4 prompts cannot be cut into 10 parts"):
        pair_baselines(made(40, prompts=4))


def test_public_pairs(shared_data: Path) -> None:
    """2,312 pairs, of which this file holds 1,478, were told with 62.2 +- 1.0 % and 0.657 nats by such a model."""
    found = pair_baselines(load(str(shared_data / "preference" / "hh_harmless.jsonl"), task="chat").examples)
    assert found["shorter"].accuracy.value == pytest.approx(0.549, abs=0.002)
    assert 0.60 < found["linear"].accuracy.value < 0.64
    assert found["linear"].accuracy.low > found["shorter"].accuracy.value
    assert 0.63 < found["linear"].nll.value < 0.67
