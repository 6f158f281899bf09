"""Gemma 3's published sizes, its windows, its two ropes and its scale."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.arch import Rope
from dragoman.nn.families.gemma3_text import Gemma3Text
from tests.nets import shape

FAMILY = Gemma3Text()


def test_every_sixth_layer_sees_all() -> None:
    arch = FAMILY.presets["270m"]
    assert [arch.reach(layer) for layer in range(12)] == [512, 512, 512, 512, 512, 0] * 2
    assert (arch.rope.theta, arch.window_rope.theta if arch.window_rope else 0) == (1e6, 1e4)


def test_the_older_spelling_of_two_ropes_says_the_same() -> None:
    config = FAMILY.write(shape("gemma3_text"))
    del config["rope_parameters"]
    older = {"rope_theta": 1e6, "rope_local_base_freq": 1e4, "rope_scaling": {"rope_type": "linear", "factor": 8.0}}
    arch = FAMILY.read({**config, **older})
    assert arch.rope == Rope(1e6, "linear", 8.0)
    assert arch.window_rope == Rope(1e4)


@pytest.mark.parametrize("key", ["sliding_window_pattern", "query_pre_attn_scalar"])
def test_numbers_that_divide_are_above_0(key: str) -> None:
    with pytest.raises(UserError, match=key):
        FAMILY.read({**FAMILY.write(shape("gemma3_text")), key: 0})


def test_scores_are_scaled_by_a_number_of_their_own() -> None:
    config = FAMILY.write(shape("gemma3_text"))
    assert config["query_pre_attn_scalar"] == 24
    assert isinstance(config["query_pre_attn_scalar"], int)
    assert FAMILY.read(config).attention_scale == 24**-0.5
