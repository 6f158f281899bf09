"""Gemma's published sizes, and which GELU it means."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.families.gemma import Gemma
from tests.nets import parameters, shape

FAMILY = Gemma()


@pytest.mark.parametrize("arch", [*FAMILY.presets.values(), shape("gemma")])
def test_a_shape_comes_back_from_its_config(arch: Arch) -> None:
    assert FAMILY.read(FAMILY.write(arch)) == arch


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("2b", 2_506_172_416),
        ("7b", 8_537_680_896),
    ],
)
def test_a_published_size_has_the_published_count(name: str, count: int) -> None:
    assert parameters(FAMILY.presets[name]) == count


@pytest.mark.parametrize("key", ["vocab_size", "hidden_size"])
def test_a_missing_size_is_named(key: str) -> None:
    config = FAMILY.write(shape("gemma"))
    del config[key]
    with pytest.raises(UserError, match=key):
        FAMILY.read(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pretraining_tp", 2),
        ("attn_logit_softcapping", 50.0),
        ("final_logit_softcapping", 30.0),
        ("use_bidirectional_attention", True),
    ],
)
def test_what_is_not_built_is_refused_by_its_key(key: str, value: object) -> None:
    with pytest.raises(UserError, match=key) as caught:
        FAMILY.read({**FAMILY.write(shape("gemma")), key: value})
    assert caught.value.hint


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ({"hidden_act": "gelu"}, "gelu_tanh"),
        ({"hidden_act": "gelu", "hidden_activation": None}, "gelu_tanh"),
        ({"hidden_act": "gelu", "hidden_activation": "gelu_pytorch_tanh"}, "gelu_tanh"),
        ({"hidden_act": "silu"}, "silu"),
    ],
)
def test_its_gelu_is_the_approximation(told: dict[str, object], meant: str) -> None:
    assert FAMILY.read({**FAMILY.write(shape("gemma")), **told}).activation == meant


def test_words_are_scaled_and_gains_are_counted_from_one() -> None:
    arch = FAMILY.presets["2b"]
    assert (arch.embedding_scale, arch.norm_shift, arch.tied) == (2048**0.5, 1.0, True)
