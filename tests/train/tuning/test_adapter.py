"""Bottlenecks stand behind both halves of every block, and stay there."""

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.train.bottleneck import Bottleneck
from dragoman.train.tuning.adapter import Adapter
from tests.nn.tiny_lm import writer
from tests.train.small import net


def test_two_a_block_and_three_where_another_text_is_read() -> None:
    model = Adapter(width=5).apply(net(), 0)
    places = [name for name, each in model.named_modules() if isinstance(each, Bottleneck)]
    expected = [f"encoder.blocks.{n}.{half}" for n in range(3) for half in ("attention.output", "feed_forward.down")]
    assert places == expected
    bart = Adapter(width=5).apply(writer("bart"), 0)
    assert sum(isinstance(each, Bottleneck) for each in bart.modules()) == 2 * 2 + 2 * 3


def test_the_draw_follows_the_seed() -> None:
    first, again, other = (
        Adapter().apply(net(), seed).get_parameter("encoder.blocks.0.attention.output.down") for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_it_stays_beside_the_model() -> None:
    model = Adapter().apply(net(), 0)
    assert Adapter().merge(model) is model
    assert any(isinstance(each, Bottleneck) for each in model.modules())


def test_wrong_settings() -> None:
    with pytest.raises(UserError, match="width cannot be 0"):
        Adapter(width=0)
