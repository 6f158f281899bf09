"""The published sizes of roberta survive a trip through config.json."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.families.roberta import Roberta
from tests.nn.tiny import ARCHES

FAMILY = Roberta()


@pytest.mark.parametrize("arch", [*FAMILY.presets.values(), ARCHES["roberta"]])
def test_a_shape_comes_back_from_its_config(arch: object) -> None:
    assert FAMILY.read(FAMILY.write(arch)) == arch  # type: ignore[arg-type]


def test_a_missing_size_is_named() -> None:
    config = FAMILY.write(ARCHES["roberta"])
    del config["vocab_size"]
    with pytest.raises(UserError, match="vocab_size"):
        FAMILY.read(config)


def test_a_decoder_is_refused() -> None:
    with pytest.raises(UserError, match="is_decoder"):
        FAMILY.read({**FAMILY.write(ARCHES["roberta"]), "is_decoder": True})


def test_positions_start_after_the_padding_token() -> None:
    config = FAMILY.write(ARCHES["roberta"])
    assert FAMILY.read(config).position_offset == 2
    del config["pad_token_id"]
    assert FAMILY.read(config).pad_id == 1
