"""T5's published sizes, both versions, and how they are told apart."""

from dragoman.nn.families.t5 import T5
from tests.nets import shape

FAMILY = T5()


def test_an_untied_head_is_not_scaled() -> None:
    assert FAMILY.presets["small"].logit_scale == 512**-0.5
    assert FAMILY.presets["flan-small"].logit_scale == 1.0
    again = FAMILY.read({**FAMILY.write(FAMILY.presets["flan-small"]), "tie_word_embeddings": True})
    assert (again.tied, again.logit_scale) == (True, 1.0)  # as transformers saves T5 1.1 anew


def test_the_decoder_has_as_many_layers_and_starts_with_padding_where_nothing_is_said() -> None:
    config = FAMILY.write(shape("t5"))
    del config["num_decoder_layers"], config["decoder_start_token_id"]
    arch = FAMILY.read({**config, "num_layers": 5})
    assert (arch.layers, arch.decoder_layers, arch.start_id) == (5, 5, 0)
