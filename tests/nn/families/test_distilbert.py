"""The published sizes of distilbert survive a trip through config.json."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.families.distilbert import Distilbert
from tests.nn.tiny import ARCHES

FAMILY = Distilbert()


@pytest.mark.parametrize("arch", [*FAMILY.presets.values(), ARCHES["distilbert"]])
def test_a_shape_comes_back_from_its_config(arch: object) -> None:
    assert FAMILY.read(FAMILY.write(arch)) == arch  # type: ignore[arg-type]


def test_a_missing_size_is_named() -> None:
    config = FAMILY.write(ARCHES["distilbert"])
    del config["vocab_size"]
    with pytest.raises(UserError, match="vocab_size"):
        FAMILY.read(config)


def test_a_decoder_is_refused() -> None:
    with pytest.raises(UserError, match="is_decoder"):
        FAMILY.read({**FAMILY.write(ARCHES["distilbert"]), "is_decoder": True})
