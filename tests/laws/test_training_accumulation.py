"""A step cut into parts is the same step: the same examples, the same gradient, the same order to the end."""

from dataclasses import replace

import pytest
import torch

from dragoman.train.objectives.classify import Classify
from tests.train import texts
from tests.train.small import HOW, STILL, begun, examples, net, steps

WHOLE = replace(HOW, batch=8, clip=0.0)


@pytest.mark.parametrize("parts", [2, 3, 4, 8])
@pytest.mark.parametrize("objective", [Classify(), Classify(class_weights="balanced", label_smoothing=0.1)], ids=str)
@pytest.mark.parametrize("multi_label", [False, True])
def test_the_gradient_is_that_of_the_whole_batch(objective: Classify, multi_label: bool, parts: int) -> None:
    """Weighted by example, not by part: 8x1 = 4x2 = 3+3+2 to 1e-6 of the gradient's length."""
    slopes, losses = [], []
    for accumulation in (1, parts):
        how = replace(WHOLE, accumulation=accumulation)
        rows = examples(43, multi_label)[:43]  # the last batch of the epoch is smaller
        training = begun(how=how, model=net(STILL, multi_label), objective=objective, rows=rows)
        losses.append(steps(training, 1)[0].loss)
        slopes.append({name: weight.grad for name, weight in training.weights.items()})
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    length = torch.nn.utils.get_total_norm([slope for slope in slopes[0].values() if slope is not None])
    for name, slope in slopes[0].items():
        assert slope is not None
        assert float((slopes[1][name] - slope).norm()) <= 1e-6 * float(length), name  # type: ignore[operator]


def test_it_ends_where_the_whole_batches_end() -> None:
    runs = [begun(how=replace(WHOLE, accumulation=parts, rate=1e-3), model=net(STILL)) for parts in (1, 2)]
    found = [steps(run) for run in runs]
    assert [step.examples for step in found[0]] == [step.examples for step in found[1]]
    assert runs[0].chain == runs[1].chain
    assert [step.loss for step in found[0]] == [pytest.approx(step.loss, abs=1e-4) for step in found[1]]


def test_more_parts_than_examples() -> None:
    training = begun(how=replace(WHOLE, accumulation=8), model=net(STILL), rows=examples(3))
    assert len(steps(training)) == 3


@pytest.mark.parametrize("objective", ["clm", "mlm", "span"])
@pytest.mark.parametrize("parts", [2, 5])
def test_packed_rows_cut_into_parts_give_the_gradient_of_the_whole_batch(objective: str, parts: int) -> None:
    """Parts hold 30 to 140 labels each: the mean of their means would be off by some 4e-2, not 1e-6."""
    slopes = []
    for accumulation in (1, parts):
        how = replace(texts.HOW, batch=10, clip=0.0, accumulation=accumulation)
        training = texts.begun(objective, how, texts.texts(60))
        texts.steps(training, 1)
        slopes.append([weight.grad for weight in training.weights.values() if weight.grad is not None])
    length = torch.nn.utils.get_total_norm(slopes[0])
    gaps = [float((one - other).norm() / length) for one, other in zip(*slopes, strict=True)]
    assert max(gaps) <= 1e-6
