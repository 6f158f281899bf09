"""Mistral's published sizes, and its window in config.json."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.families.mistral import Mistral
from tests.nets import parameters, shape

FAMILY = Mistral()


@pytest.mark.parametrize("arch", [*FAMILY.presets.values(), shape("mistral window")])
def test_a_shape_comes_back_from_its_config(arch: Arch) -> None:
    assert FAMILY.read(FAMILY.write(arch)) == arch


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("7b-v0.1", 7_241_732_096),
        ("7b-v0.3", 7_248_023_552),
    ],
)
def test_a_published_size_has_the_published_count(name: str, count: int) -> None:
    assert parameters(FAMILY.presets[name]) == count


@pytest.mark.parametrize("key", ["vocab_size", "hidden_size", "intermediate_size"])
def test_a_missing_size_is_named(key: str) -> None:
    config = FAMILY.write(shape("mistral window"))
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
        FAMILY.read({**FAMILY.write(shape("mistral window")), key: value})
    assert caught.value.hint


def test_null_switches_the_window_off_and_silence_leaves_it_on() -> None:
    config = FAMILY.write(shape("mistral window"))
    assert FAMILY.read(config).window == 8
    assert FAMILY.read({**config, "sliding_window": None}).window == 0
    del config["sliding_window"]
    assert FAMILY.read(config).window == 4096
    assert [FAMILY.presets[name].window for name in ("7b-v0.1", "7b-v0.3")] == [4096, 0]
