"""A number that is not finite is caught at the step it appears, before the optimiser moves, and is never published."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.core.types import Example
from dragoman.nn.heads import Classifier
from dragoman.train.doors import Batch, Encoded, Kit, Loss
from dragoman.train.loop import fit
from dragoman.train.objectives.classify import Classify
from dragoman.train.session import learn
from dragoman.train.tuning.full import Full
from dragoman.train.watch import Watch
from tests.train.small import HOW, Words, accuracy, begun, bits, examples, net, steps


@dataclass
class Planted:
    """The classification objective with a bad number in the loss, or in a gradient, of the calls from `at` on."""

    needs: ClassVar[tuple[str, ...]] = ()
    at: int
    bad: float
    where: str
    calls: int = 0

    def encode(self, net: Classifier, rows: Sequence[Example], kit: Kit) -> Encoded:
        return Classify().encode(net, rows, kit)

    def stream(self, net: Classifier, encoded: Encoded, kit: Kit, start: int) -> Iterator[tuple[Batch, ...]]:
        return Classify().stream(net, encoded, kit, start)

    def loss(self, net: Classifier, batch: Batch, kit: Kit) -> Loss:
        total = Classify().loss(net, batch, kit).total
        self.calls += 1
        if self.calls != self.at:
            return Loss(total)
        if self.where == "loss":
            return Loss(total * self.bad)
        weight = net.encoder.blocks[1].feed_forward.down.weight  # type: ignore[union-attr]
        handle = weight.register_hook(
            lambda slope: [handle.remove(), slope.index_fill(0, torch.tensor([3]), self.bad)][1]
        )
        return Loss(total)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("where", ["loss", "gradient"])
@pytest.mark.parametrize("at", [1, 4, 15])
def test_it_is_caught_at_its_step(at: int, where: str, precision: str, bad: float) -> None:
    training = begun(how=replace(HOW, precision=precision), objective=Planted(at, bad, where))  # type: ignore[arg-type]
    assert len(steps(training, at - 1)) == at - 1
    before, expected = bits(training), begun()
    due = [step.examples for step in steps(expected, at)][-1]
    with pytest.raises(UserError) as caught:
        next(fit(training))
    said = caught.value.problem
    assert f"step {at}" in said
    assert ", ".join(due) in said
    assert ("the loss is" if where == "loss" else "blocks.1.feed_forward.down.weight") in said
    assert bits(training) == before
    assert training.step == at - 1


@pytest.mark.parametrize("parts", [2, 4])
def test_in_any_part_of_a_step(parts: int) -> None:
    for part in range(parts):
        how = replace(HOW, accumulation=parts)
        training = begun(how=how, objective=Planted(2 * parts + part + 1, float("nan"), "loss"))
        assert len(steps(training, 2)) == 2
        with pytest.raises(UserError, match="step 3"):
            next(fit(training))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["encoder.blocks.0.attention.key.weight", "encoder.embeddings.positions.table.weight"])
def test_in_a_weight(precision: str, name: str) -> None:
    """Also in a row that no example reads: the position after the longest text."""
    training = begun(how=replace(HOW, precision=precision))  # type: ignore[arg-type]
    found = fit(training)
    next(found)
    training.weights[name].data[-1, 0] = float("inf")
    with pytest.raises(UserError, match=f"step 2: the weight {name}"):
        next(found)


def test_a_session_keeps_the_last_good_state(tmp_path: Path) -> None:
    def run(objective: Planted) -> None:
        rows, how = examples(), replace(HOW, save_seconds=0.0, save_share=1.0)
        learn(net(), Words(), objective, Full(), rows, how, tmp_path, accuracy, Watch("accuracy"), lambda _: None)

    with pytest.raises(UserError, match="step 8") as caught:
        run(Planted(8, float("nan"), "loss"))
    assert caught.value.problem.endswith("The state after step 7 is saved.")
    assert [step for step, _ in durable.versions(tmp_path, "step")] == [6, 7]
    assert all(not durable.problems(path) for _, path in durable.versions(tmp_path, "step"))
