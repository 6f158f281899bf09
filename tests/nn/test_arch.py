"""A shape that cannot be built is refused with its reason."""

from dataclasses import replace
from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.arch import Rope
from tests.nn.tiny import ARCHES


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": 0},
        {"width": -1},
        {"heads": 5},
        {"pad_id": 90},
        {"activation": "mish"},
        {"position_offset": 40},
        {"token_types": -1},
        {"window": -1},
        {"dropout": 1.5},
        {"attention_dropout": -0.1},
        {"norm_eps": -1e-5},
        {"attention_scale": -1.0},
        {"head_width": -1},
        {"kv_heads": 3},
        {"kv_heads": -1},
        {"head_width": 15, "position": "rotary"},
        {"position": "absolute"},
        {"position": "relative", "buckets": 32, "bucket_reach": 16},
        {"position": "relative", "buckets": 2},
        {"norm": "batch"},
        {"norm_place": "beside"},
        {"kind": "both"},
        {"start_id": 90},
        {"kind": "encoder-decoder"},
        {"decoder_layers": 2},
        {"window": 3, "windowed": (True,)},
    ],
)
def test_impossible_shapes_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        replace(ARCHES["bert"], **changes)
    assert caught.value.hint


@pytest.mark.parametrize(
    "changes",
    [
        {"theta": 0.0},
        {"factor": 0.0},
        {"scaling": "ntk"},
        {"scaling": "llama3"},
        {"scaling": "llama3", "original": 32, "high": 1.0},
        {"scaling": "yarn", "original": 32, "beta_fast": 0.0},
        {"scaling": "yarn", "original": 32, "theta": 1.0},
    ],
)
def test_impossible_rotations_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        Rope(**changes)
    assert caught.value.hint


def test_each_layer_has_its_reach() -> None:
    arch = replace(ARCHES["bert"], window=5, windowed=(True, False, True))
    assert [arch.reach(layer) for layer in range(3)] == [5, 0, 5]
    assert replace(arch, windowed=()).reach(1) == 5


def test_what_is_not_said_follows_from_the_rest() -> None:
    arch = replace(ARCHES["bert"], heads=8)
    assert (arch.head_size, arch.groups) == (8, 8)
    assert replace(arch, kv_heads=2, head_width=32).groups == 2
    assert replace(arch, kv_heads=2, head_width=32).head_size == 32


def test_the_longest_text_leaves_out_positions_that_are_never_used() -> None:
    assert ARCHES["bert"].longest == 40
    assert ARCHES["roberta"].longest == 40
    ARCHES["roberta"].require(40)
    with pytest.raises(UserError, match="positions for 40"):
        ARCHES["roberta"].require(41)
