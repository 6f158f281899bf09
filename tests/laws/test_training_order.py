"""The order of the examples can be proven: one hash, the same for every way to come to the end."""

from dataclasses import replace
from pathlib import Path

import pytest

from dragoman.train import checkpoint
from dragoman.train.tuning.head import Head
from dragoman.train.tuning.lora import Lora
from tests.train.small import HOW, begun, steps


@pytest.mark.parametrize("at", [1, 5, 7, 14])
def test_a_resumed_run_has_the_order_of_an_uninterrupted_one(tmp_path: Path, at: int) -> None:
    whole = begun()
    order = [name for step in steps(whole) for name in step.examples]
    parted = begun()
    before = [name for step in steps(parted, at) for name in step.examples]
    again = begun()
    checkpoint.restore(checkpoint.save(tmp_path, parted, {}), again, pytest.fail)
    assert before + [name for step in steps(again) for name in step.examples] == order
    assert again.chain == whole.chain


def test_the_order_depends_on_seed_and_batch_alone() -> None:
    chain = {}
    for name, training in {
        "plain": begun(),
        "cut": begun(how=replace(HOW, accumulation=4)),
        "bf16": begun(how=replace(HOW, precision="bf16")),
        "lora": begun(Lora(rank=2)),
        "seed": begun(how=replace(HOW, seed=1)),
        "batch": begun(how=replace(HOW, batch=4)),
    }.items():
        steps(training)
        chain[name] = training.chain
    assert chain["plain"] == chain["cut"] == chain["bf16"] == chain["lora"]
    assert len(set(chain.values())) == 3


def test_every_example_is_seen_once_an_epoch() -> None:
    for tuning in (None, Head()):
        found = steps(begun(tuning))
        for epoch in range(3):
            names = [name for step in found[5 * epoch : 5 * epoch + 5] for name in step.examples]
            assert sorted(names) == sorted(f"e{row}" for row in range(40))
