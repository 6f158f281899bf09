"""Gemma's published sizes, and which GELU it means."""

import pytest

from dragoman.nn.families.gemma import Gemma
from tests.nets import shape

FAMILY = Gemma()


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
