"""DoRA counts one number an output more than LoRA, and refuses what LoRA refuses."""

import pytest

from dragoman.core.errors import UserError
from dragoman.train.anatomy import count_learning, describe_learning
from dragoman.train.tuning.dora import Dora
from dragoman.train.tuning.lora import Lora
from tests.train.small import net


def test_the_number_of_weights_is_exact() -> None:
    found = count_learning(Dora(rank=4, where=("query", "up")).apply(net(), 0))
    assert found == count_learning(Lora(rank=4, where=("query", "up")).apply(net(), 0)) + 3 * (16 + 32)


def test_lengths_are_listed_with_what_learns() -> None:
    listed = dict(describe_learning(Dora(rank=4, where=("query",)).apply(net(), 0)))
    place = "encoder.blocks.0.attention.query"
    assert listed[f"{place}.magnitude"] == (16,)
    assert (listed[f"{place}.down"], listed[f"{place}.up"]) == ((4, 16), (16, 4))


def test_the_scale_is_lora_s() -> None:
    assert Dora(rank=4, alpha=8.0).scale == 2.0
    assert Dora(rank=4, alpha=8.0, stabilised=True).scale == 4.0


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="dora finds no matrix named 'gate'"):
        Dora(where=("gate",)).apply(net(), 0)
    with pytest.raises(UserError, match="rank cannot be 0"):
        Dora(rank=0)
