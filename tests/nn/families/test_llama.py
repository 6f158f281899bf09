"""Llama's published sizes, its ropes in both spellings, and what is not built."""

from dataclasses import replace

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.arch import Rope
from dragoman.nn.families.llama import Llama
from tests.nets import shape

FAMILY = Llama()


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
