"""GPT-2's published sizes, and the switches of its config.json that make another model."""

from dragoman.nn.families.gpt2 import Gpt2
from tests.nets import parameters, shape

FAMILY = Gpt2()


def test_the_inner_width_is_four_times_the_outer_where_nothing_is_said() -> None:
    config = FAMILY.write(shape("gpt2"))
    assert FAMILY.read({**config, "n_inner": None}).feed_forward == 4 * 64
    assert FAMILY.read({**config, "n_inner": 100}).feed_forward == 100


def test_the_head_can_be_untied() -> None:
    arch = FAMILY.read({**FAMILY.write(shape("gpt2")), "tie_word_embeddings": False})
    assert parameters(arch) == parameters(shape("gpt2")) + 99 * 64
