"""Llama's published sizes, its ropes in both spellings, and what is not built."""

from dataclasses import replace

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch, Rope
from dragoman.nn.families.llama import Llama
from tests.nets import parameters, shape

FAMILY = Llama()


@pytest.mark.parametrize(
    "arch",
    [
        *FAMILY.presets.values(),
        shape("llama"),
        shape("llama llama3"),
        shape("llama linear"),
        shape("llama yarn"),
        shape("llama biases"),
        shape("llama tied"),
    ],
)
def test_a_shape_comes_back_from_its_config(arch: Arch) -> None:
    assert FAMILY.read(FAMILY.write(arch)) == arch


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("smollm2-135m", 134_515_008),
        ("smollm2-360m", 361_821_120),
        ("tinyllama-1.1b", 1_100_048_384),
        ("3.2-1b", 1_235_814_400),
        ("3.1-8b", 8_030_261_248),
        ("2-7b", 6_738_415_616),
    ],
)
def test_a_published_size_has_the_published_count(name: str, count: int) -> None:
    assert parameters(FAMILY.presets[name]) == count


@pytest.mark.parametrize(
    "key", ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"]
)
def test_a_missing_size_is_named(key: str) -> None:
    config = FAMILY.write(shape("llama"))
    del config[key]
    with pytest.raises(UserError, match=key):
        FAMILY.read(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pretraining_tp", 2),
        ("attn_logit_softcapping", 50.0),
        ("final_logit_softcapping", 30.0),
        ("partial_rotary_factor", 0.5),
        ("hidden_act", "mish"),
    ],
)
def test_what_is_not_built_is_refused_by_its_key(key: str, value: object) -> None:
    with pytest.raises(UserError, match=key) as caught:
        FAMILY.read({**FAMILY.write(shape("llama")), key: value})
    assert caught.value.hint


def test_the_older_spelling_of_a_rope_says_the_same() -> None:
    config = FAMILY.write(shape("llama llama3"))
    told = config.pop("rope_parameters")
    older = {"rope_theta": told.pop("rope_theta"), "rope_scaling": {**told, "type": told.pop("rope_type")}}
    assert FAMILY.read({**config, **older}) == shape("llama llama3")
    assert FAMILY.read({**config, "rope_theta": 7e4}).rope == Rope(7e4)
    assert FAMILY.read({**config, "rope_theta": 7e4, "rope_scaling": None}).rope == Rope(7e4)


@pytest.mark.parametrize("rope", [{"rope_type": "longrope"}, {"rope_type": "yarn", "mscale": 1.0}, ["linear"]])
def test_a_rope_that_is_not_built_is_refused(rope: object) -> None:
    with pytest.raises(UserError, match=r"rope|mscale"):
        FAMILY.read({**FAMILY.write(shape("llama")), "rope_parameters": rope})


@pytest.mark.parametrize(("key", "value"), [("factor", 0.0), ("rope_theta", -1.0), ("high_freq_factor", 1.0)])
def test_a_rope_that_makes_no_rotation_is_refused(key: str, value: float) -> None:
    config = FAMILY.write(shape("llama llama3"))
    config["rope_parameters"][key] = value
    with pytest.raises(UserError, match="no rotation"):
        FAMILY.read(config)


def test_as_many_heads_answer_as_ask_where_nothing_is_said() -> None:
    config = FAMILY.write(shape("llama"))
    del config["num_key_value_heads"], config["head_dim"]
    arch = FAMILY.read(config)
    assert (arch.kv_heads, arch.head_width) == (4, 16)


def test_a_padding_token_that_is_none_is_the_first() -> None:
    config = FAMILY.write(shape("llama"))
    assert [FAMILY.read({**config, "pad_token_id": given}).pad_id for given in (None, -1, 99, 7)] == [0, 0, 0, 7]
    seven = replace(shape("llama"), pad_id=7)
    assert FAMILY.read(FAMILY.write(seven)) == seven
