"""A shape that cannot be built is refused with its reason."""

from dataclasses import replace

import pytest

from dragoman.core.errors import UserError
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
    ],
)
def test_impossible_shapes_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UserError) as caught:
        replace(ARCHES["bert"], **changes)
    assert caught.value.hint


def test_the_longest_text_leaves_out_positions_that_are_never_used() -> None:
    assert ARCHES["bert"].longest == 40
    assert ARCHES["roberta"].longest == 40
    ARCHES["roberta"].require(40)
    with pytest.raises(UserError, match="positions for 40"):
        ARCHES["roberta"].require(41)
