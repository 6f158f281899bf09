"""Full fine-tuning lets every weight learn."""

import pytest

from dragoman.core.errors import UserError
from dragoman.train.tuning.full import Full
from tests.train.small import begun, net


def test_everything_learns() -> None:
    model = net().requires_grad_(False)
    tuned = Full().apply(model, 0)
    assert tuned is model
    assert all(weight.requires_grad for weight in tuned.parameters())
    assert Full().merge(tuned) is tuned


def test_the_head_is_faster_and_lower_layers_slower() -> None:
    training = begun(Full(layer_decay=0.5, head_pace=3.0))
    paces = {name: pace.factor for name, pace in training.paces.items()}
    assert paces["head.out.weight"] == 3.0
    assert paces["encoder.blocks.2.attention.key.bias"] == 1.0
    assert paces["encoder.blocks.0.attention.key.bias"] == 0.25
    assert paces["encoder.embeddings.words.rows"] == 0.125


@pytest.mark.parametrize("wrong", [{"layer_decay": 0.0}, {"layer_decay": 1.1}, {"head_pace": 0.0}])
def test_wrong_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError):
        Full(**wrong)
