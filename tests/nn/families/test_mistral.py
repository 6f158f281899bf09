"""Mistral's published sizes, and its window in config.json."""

from dragoman.nn.families.mistral import Mistral
from tests.nets import shape

FAMILY = Mistral()


def test_null_switches_the_window_off_and_silence_leaves_it_on() -> None:
    config = FAMILY.write(shape("mistral window"))
    assert FAMILY.read(config).window == 8
    assert FAMILY.read({**config, "sliding_window": None}).window == 0
    del config["sliding_window"]
    assert FAMILY.read(config).window == 4096
    assert [FAMILY.presets[name].window for name in ("7b-v0.1", "7b-v0.3")] == [4096, 0]
