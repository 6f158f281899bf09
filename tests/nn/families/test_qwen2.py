"""Qwen2's published sizes, its biases and its window that is mostly unused."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.families.qwen2 import Qwen2
from tests.nets import parameters, shape

FAMILY = Qwen2()


@pytest.mark.parametrize("arch", [*FAMILY.presets.values(), shape("qwen2"), shape("qwen2 window")])
def test_a_shape_comes_back_from_its_config(arch: Arch) -> None:
    assert FAMILY.read(FAMILY.write(arch)) == arch


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("0.5b", 494_032_768),
        ("1.5b", 1_543_714_304),
        ("7b", 7_615_616_512),
    ],
)
def test_a_published_size_has_the_published_count(name: str, count: int) -> None:
    assert parameters(FAMILY.presets[name]) == count


@pytest.mark.parametrize("key", ["vocab_size", "hidden_size"])
def test_a_missing_size_is_named(key: str) -> None:
    config = FAMILY.write(shape("qwen2"))
    del config[key]
    with pytest.raises(UserError, match=key):
        FAMILY.read(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pretraining_tp", 2),
        ("attn_logit_softcapping", 50.0),
    ],
)
def test_what_is_not_built_is_refused_by_its_key(key: str, value: object) -> None:
    with pytest.raises(UserError, match=key) as caught:
        FAMILY.read({**FAMILY.write(shape("qwen2")), key: value})
    assert caught.value.hint


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
