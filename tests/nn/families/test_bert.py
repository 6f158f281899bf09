"""The published sizes of bert survive a trip through config.json."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.families.bert import Bert
from tests.nn.tiny import ARCHES

FAMILY = Bert()


@pytest.mark.parametrize("arch", [*FAMILY.presets.values(), ARCHES["bert"]])
def test_a_shape_comes_back_from_its_config(arch: object) -> None:
    assert FAMILY.read(FAMILY.write(arch)) == arch  # type: ignore[arg-type]


def test_a_missing_size_is_named() -> None:
    config = FAMILY.write(ARCHES["bert"])
    del config["vocab_size"]
    with pytest.raises(UserError, match="vocab_size"):
        FAMILY.read(config)


def test_a_decoder_is_refused() -> None:
    with pytest.raises(UserError, match="is_decoder"):
        FAMILY.read({**FAMILY.write(ARCHES["bert"]), "is_decoder": True})
