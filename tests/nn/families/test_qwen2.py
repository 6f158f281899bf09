"""Qwen2's published sizes, its biases and its window that is mostly unused."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.families.qwen2 import Qwen2
from tests.nets import shape

FAMILY = Qwen2()


def test_query_key_and_value_have_biases_and_the_output_has_none() -> None:
    arch = FAMILY.read(FAMILY.write(shape("qwen2")))
    assert (arch.attention_bias, arch.output_bias, arch.feed_forward_bias) == (True, False, False)


def test_the_window_is_off_unless_it_is_said_and_starts_at_a_layer() -> None:
    config = {**FAMILY.write(shape("qwen2")), "sliding_window": 6, "max_window_layers": 3}
    assert FAMILY.read(config).window == 0
    assert FAMILY.read({**config, "use_sliding_window": True}).windowed == (False, False, False, True)
    with pytest.raises(UserError, match="layer_types"):
        FAMILY.read({**config, "use_sliding_window": True, "layer_types": ["chunked_attention"] * 4})
    with pytest.raises(UserError, match="3 layers"):
        FAMILY.read({**config, "use_sliding_window": True, "layer_types": ["full_attention"] * 3})
