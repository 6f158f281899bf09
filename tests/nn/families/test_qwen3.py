"""Qwen3's published sizes, its normalised heads and their own width."""

from dragoman.nn.families.qwen3 import Qwen3
from tests.nets import shape

FAMILY = Qwen3()


def test_a_head_is_128_wide_where_nothing_is_said() -> None:
    config = FAMILY.write(shape("qwen3"))
    assert FAMILY.read(config).head_width == 32
    del config["head_dim"]
    arch = FAMILY.read(config)
    assert (arch.head_width, arch.head_norm, arch.attention_bias) == (128, True, False)
