"""Qwen3's published sizes, its normalised heads and their own width."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.families.qwen3 import Qwen3
from tests.nets import parameters, shape

FAMILY = Qwen3()


@pytest.mark.parametrize("arch", [*FAMILY.presets.values(), shape("qwen3")])
def test_a_shape_comes_back_from_its_config(arch: Arch) -> None:
    assert FAMILY.read(FAMILY.write(arch)) == arch


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("0.6b", 596_049_920),
        ("1.7b", 1_720_574_976),
        ("4b", 4_022_468_096),
        ("8b", 8_190_735_360),
    ],
)
def test_a_published_size_has_the_published_count(name: str, count: int) -> None:
    assert parameters(FAMILY.presets[name]) == count


@pytest.mark.parametrize("key", ["vocab_size", "hidden_size"])
def test_a_missing_size_is_named(key: str) -> None:
    config = FAMILY.write(shape("qwen3"))
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
        FAMILY.read({**FAMILY.write(shape("qwen3")), key: value})
    assert caught.value.hint


def test_a_head_is_128_wide_where_nothing_is_said() -> None:
    config = FAMILY.write(shape("qwen3"))
    assert FAMILY.read(config).head_width == 32
    del config["head_dim"]
    arch = FAMILY.read(config)
    assert (arch.head_width, arch.head_norm, arch.attention_bias) == (128, True, False)
