"""The classification objective: labels into rows, losses as PyTorch defines them, weights that sum."""

from dataclasses import replace

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.train.doors import Batch, Encoded, Kit
from dragoman.train.objectives.classify import Classify
from tests.train.small import HOW, STILL, Words, begun, examples, net, steps

KIT = Kit(HOW, Words())


def row(*labels: str, text: str = "the cat") -> Example:
    return Example((Message("user", text),), labels)


def batch(encoded: Encoded, count: int) -> Batch:
    ids = torch.tensor([[1, 3 + place, 2] for place in range(count)])
    weights = encoded.weights[:count]
    return Batch(encoded.names[:count], ids, None, encoded.targets[:count], weights, float(weights.sum()), 3 * count)


def test_labels_and_texts_into_rows() -> None:
    encoded = Classify().encode(net(), [row("number"), row("animal", text="so the cat is very red")], replace(KIT))
    assert encoded.targets.tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    assert [len(ids) for ids in encoded.ids] == [4, 8]
    assert encoded.names == ("row 0", "row 1")
    assert encoded.weights.tolist() == [1.0, 1.0]
    assert encoded.cut == 0


def test_what_is_cut_is_counted() -> None:
    short = replace(KIT, how=replace(HOW, max_length=5))
    encoded = Classify().encode(net(), [row("number", text=text) for text in ("a b c", "a b c d", "a")], short)
    assert [len(ids) for ids in encoded.ids] == [5, 5, 3]
    assert encoded.cut == 1


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no examples"),
        ([row("shape")], "label 'shape'"),
        ([row()], "0 labels where exactly one"),
        ([row("animal", "number")], "2 labels where exactly one"),
    ],
)
def test_what_cannot_be_learnt_is_refused(rows: list[Example], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Classify().encode(net(), rows, KIT)


def test_the_loss_is_cross_entropy() -> None:
    model = net(STILL)
    encoded = Classify().encode(model, examples(6), KIT)
    given = batch(encoded, 6)
    logits = model(given.ids, None)
    for smoothing in (0.0, 0.1):
        total = Classify(label_smoothing=smoothing).loss(model, given, KIT).total
        right = torch.nn.functional.cross_entropy(
            logits, encoded.targets.argmax(1), label_smoothing=smoothing, reduction="sum"
        )
        assert torch.allclose(total, right, rtol=1e-6)


def test_balanced_weights_are_those_of_weighted_cross_entropy() -> None:
    rows = [row("animal")] * 6 + [row("colour")] * 2 + [row("number")] * 1
    objective, model = Classify(class_weights="balanced"), net(STILL)
    encoded = objective.encode(model, rows, KIT)
    counts = torch.tensor([9 / 18, 9 / 6, 9 / 3])  # rows / (labels * rows of the label), as in scikit-learn
    assert torch.allclose(encoded.weights, counts[encoded.targets.argmax(1)])
    given = batch(encoded, 9)
    mean = objective.loss(model, given, KIT).total / given.weight
    right = torch.nn.functional.cross_entropy(model(given.ids, None), encoded.targets.argmax(1), weight=counts)
    assert torch.allclose(mean, right, rtol=1e-5)


def test_a_label_without_rows_takes_no_weight() -> None:
    encoded = Classify(class_weights="balanced").encode(net(), [row("animal"), row("number")], KIT)
    assert encoded.weights.tolist() == [1.0, 1.0]


def test_several_labels_are_each_for_themselves() -> None:
    model = net(STILL, multi_label=True)
    encoded = Classify().encode(model, [row(), row("animal", "number"), row("colour")], KIT)
    assert encoded.targets.sum(1).tolist() == [0.0, 2.0, 1.0]
    given = batch(encoded, 3)
    total = Classify().loss(model, given, KIT).total
    logits = model(given.ids, None)
    right = torch.nn.functional.binary_cross_entropy_with_logits(logits, encoded.targets) * 3
    assert torch.allclose(total, right, rtol=1e-6)
    balanced = Classify(class_weights="balanced").encode(model, [row(), row("animal"), row("animal", "colour")], KIT)
    assert balanced.weights.tolist() == pytest.approx([1.0, 3 / 4, (3 / 4 + 3 / 2) / 2])


def test_it_learns_several_labels() -> None:
    model = net(STILL, multi_label=True)
    training = begun(how=replace(HOW, epochs=6), model=model, rows=examples(96, multi_label=True))
    losses = [step.loss for step in steps(training)]
    assert sum(losses[-6:]) < 0.7 * sum(losses[:6])


def test_a_wrong_setting() -> None:
    with pytest.raises(UserError, match="label_smoothing"):
        Classify(label_smoothing=1.0)
