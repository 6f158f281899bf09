"""The top blocks learn, the rest stays."""

import pytest

from dragoman.core.errors import UserError
from dragoman.train.tuning.layers import Layers
from tests.train.small import net


@pytest.mark.parametrize("top", [1, 2, 3, 4])
def test_the_top_learns(top: int) -> None:
    model = Layers(top=top).apply(net(), 0)
    learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
    blocks = {int(name.split(".")[2]) for name in learning if "blocks" in name}
    assert blocks == {2, 1, 0}.intersection(range(3 - top, 3))
    assert any(name.startswith("encoder.embeddings.") for name in learning) == (top == 4)
    assert {name for name in learning if name.startswith("head.")} == {
        f"head.{n}" for n, _ in model.head.named_parameters()
    }


def test_paces_and_times() -> None:
    tuning = Layers(top=4, layer_decay=0.5, head_pace=2.0, gradual=1.5)
    paces = tuning.paces(tuning.apply(net(), 0))
    found = {name: (pace.factor, pace.opens) for name, pace in paces.items()}
    assert found["head.out.bias"] == (2.0, 0.0)
    assert found["encoder.blocks.2.feed_forward.up.weight"] == (1.0, 1.5)
    assert found["encoder.blocks.0.feed_forward.up.weight"] == (0.25, 4.5)
    assert found["encoder.embeddings.words.weight"] == (0.125, 6.0)
    assert {pace.opens for pace in Layers().paces(Layers().apply(net(), 0)).values()} == {0.0}


def test_more_layers_than_there_are() -> None:
    with pytest.raises(UserError, match="this model has 3 blocks"):
        Layers(top=5).apply(net(), 0)


@pytest.mark.parametrize("wrong", [{"top": 0}, {"layer_decay": 0.0}, {"head_pace": -1.0}, {"gradual": -0.5}])
def test_wrong_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError):
        Layers(**wrong)  # type: ignore[arg-type]
