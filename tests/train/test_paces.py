"""Lower layers learn slower, the head at a pace of its own."""

import pytest

from dragoman.train.paces import by_depth, depth
from tests.train.small import net


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("encoder.embeddings.words.rows", 0),
        ("encoder.embeddings.norm.weight", 0),
        ("encoder.blocks.0.attention.query.weight", 1),
        ("encoder.blocks.11.feed_forward.up.bias", 12),
        ("head.out.weight", 13),
    ],
)
def test_depth(name: str, level: int) -> None:
    assert depth(name, 12) == level


def test_by_depth_gives_every_learning_weight_a_pace() -> None:
    model = net()
    model.encoder.blocks[0].requires_grad_(False)
    paces = by_depth(model, 0.5, 4.0)
    assert not [name for name in paces if "blocks.0." in name]
    assert {pace.factor for name, pace in paces.items() if "blocks.2." in name} == {1.0}
    assert {pace.factor for name, pace in paces.items() if "embeddings" in name} == {0.125}
    assert {pace.factor for name, pace in paces.items() if name.startswith("head.")} == {4.0}
    assert {pace.opens for pace in paces.values()} == {0.0}
