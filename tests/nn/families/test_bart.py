"""BART's published sizes, and the two rows that no token uses."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.families.bart import Bart
from tests.nets import parameters, shape

FAMILY = Bart()


@pytest.mark.parametrize("arch", [*FAMILY.presets.values(), shape("bart")])
def test_a_shape_comes_back_from_its_config(arch: Arch) -> None:
    assert FAMILY.read(FAMILY.write(arch)) == arch


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("base", 139_420_416 + 50_265),
        ("large", 406_291_456 + 50_265),
    ],  # and a bias for every word, which transformers calls a buffer
)
def test_a_published_size_has_the_published_count(name: str, count: int) -> None:
    assert parameters(FAMILY.presets[name]) == count


@pytest.mark.parametrize("key", ["vocab_size"])
def test_a_missing_size_is_named(key: str) -> None:
    config = FAMILY.write(shape("bart"))
    del config[key]
    with pytest.raises(UserError, match=key):
        FAMILY.read(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("add_final_layer_norm", True),
        ("normalize_before", True),
        ("activation_function", "mish"),
    ],
)
def test_what_is_not_built_is_refused_by_its_key(key: str, value: object) -> None:
    with pytest.raises(UserError, match=key) as caught:
        FAMILY.read({**FAMILY.write(shape("bart")), key: value})
    assert caught.value.hint


def test_two_rows_of_positions_are_used_by_no_token() -> None:
    arch = FAMILY.presets["base"]
    assert (arch.positions, arch.position_offset, arch.longest) == (1026, 2, 1024)
    assert FAMILY.write(arch)["max_position_embeddings"] == 1024


def test_both_stacks_have_as_many_heads() -> None:
    with pytest.raises(UserError, match="16 heads"):
        FAMILY.read({**FAMILY.write(FAMILY.presets["large"]), "decoder_attention_heads": 8})


def test_stacks_may_differ_in_depth_and_width() -> None:
    arch = shape("bart")
    assert (arch.feed_forward, arch.decoder_feed_forward) == (128, 96)
    assert parameters(FAMILY.read({**FAMILY.write(arch), "decoder_layers": 1})) < parameters(arch)
