"""T5's published sizes, both versions, and how they are told apart."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.families.t5 import T5
from tests.nets import parameters, shape

FAMILY = T5()


@pytest.mark.parametrize("arch", [*FAMILY.presets.values(), shape("t5"), shape("t5 gated")])
def test_a_shape_comes_back_from_its_config(arch: Arch) -> None:
    assert FAMILY.read(FAMILY.write(arch)) == arch


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("small", 60_506_624),
        ("base", 222_903_552),
        ("large", 737_668_096),
        ("flan-small", 76_961_152),
        ("flan-base", 247_577_856),
    ],
)
def test_a_published_size_has_the_published_count(name: str, count: int) -> None:
    assert parameters(FAMILY.presets[name]) == count


@pytest.mark.parametrize("key", ["vocab_size", "d_model", "d_ff"])
def test_a_missing_size_is_named(key: str) -> None:
    config = FAMILY.write(shape("t5"))
    del config[key]
    with pytest.raises(UserError, match=key):
        FAMILY.read(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("feed_forward_proj", "gated-mish"),
        ("feed_forward_proj", "gelu"),
    ],
)
def test_what_is_not_built_is_refused_by_its_key(key: str, value: object) -> None:
    with pytest.raises(UserError, match=key) as caught:
        FAMILY.read({**FAMILY.write(shape("t5")), key: value})
    assert caught.value.hint


def test_an_untied_head_is_not_scaled() -> None:
    assert FAMILY.presets["small"].logit_scale == 512**-0.5
    assert FAMILY.presets["flan-small"].logit_scale == 1.0
    again = FAMILY.read({**FAMILY.write(FAMILY.presets["flan-small"]), "tie_word_embeddings": True})
    assert (again.tied, again.logit_scale) == (True, 1.0)  # as transformers saves T5 1.1 anew


def test_the_decoder_has_as_many_layers_and_starts_with_padding_where_nothing_is_said() -> None:
    config = FAMILY.write(shape("t5"))
    del config["num_decoder_layers"], config["decoder_start_token_id"]
    arch = FAMILY.read({**config, "num_layers": 5})
    assert (arch.layers, arch.decoder_layers, arch.start_id) == (5, 5, 0)
