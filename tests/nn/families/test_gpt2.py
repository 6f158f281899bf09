"""GPT-2's published sizes, and the switches of its config.json that make another model."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.families.gpt2 import Gpt2
from tests.nets import parameters, shape

FAMILY = Gpt2()


@pytest.mark.parametrize("arch", [*FAMILY.presets.values(), shape("gpt2")])
def test_a_shape_comes_back_from_its_config(arch: Arch) -> None:
    assert FAMILY.read(FAMILY.write(arch)) == arch


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("small", 124_439_808),
        ("medium", 354_823_168),
        ("large", 774_030_080),
        ("xl", 1_557_611_200),
    ],
)
def test_a_published_size_has_the_published_count(name: str, count: int) -> None:
    assert parameters(FAMILY.presets[name]) == count


@pytest.mark.parametrize("key", ["vocab_size", "n_embd", "n_layer", "n_head"])
def test_a_missing_size_is_named(key: str) -> None:
    config = FAMILY.write(shape("gpt2"))
    del config[key]
    with pytest.raises(UserError, match=key):
        FAMILY.read(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scale_attn_weights", False),
        ("scale_attn_by_inverse_layer_idx", True),
        ("add_cross_attention", True),
        ("activation_function", "mish"),
    ],
)
def test_what_is_not_built_is_refused_by_its_key(key: str, value: object) -> None:
    with pytest.raises(UserError, match=key) as caught:
        FAMILY.read({**FAMILY.write(shape("gpt2")), key: value})
    assert caught.value.hint


def test_the_inner_width_is_four_times_the_outer_where_nothing_is_said() -> None:
    config = FAMILY.write(shape("gpt2"))
    assert FAMILY.read({**config, "n_inner": None}).feed_forward == 4 * 64
    assert FAMILY.read({**config, "n_inner": 100}).feed_forward == 100


def test_the_head_can_be_untied() -> None:
    arch = FAMILY.read({**FAMILY.write(shape("gpt2")), "tie_word_embeddings": False})
    assert parameters(arch) == parameters(shape("gpt2")) + 99 * 64
