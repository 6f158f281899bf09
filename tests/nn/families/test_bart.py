"""BART's published sizes, and the two rows that no token uses."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.families.bart import Bart
from tests.nets import parameters, shape

FAMILY = Bart()


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
