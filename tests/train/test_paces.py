"""Lower layers learn slower, the head at a pace of its own."""

from dragoman.train.paces import by_depth
from tests.nn.tiny_lm import writer
from tests.train.small import net


def test_by_depth_gives_every_learning_weight_a_pace() -> None:
    model = net()
    model.encoder.blocks[0].requires_grad_(False)
    paces = by_depth(model, 0.5, 4.0)
    assert not [name for name in paces if "blocks.0." in name]
    assert {pace.factor for name, pace in paces.items() if "blocks.2." in name} == {1.0}
    assert {pace.factor for name, pace in paces.items() if "embeddings" in name} == {0.125}
    assert {pace.factor for name, pace in paces.items() if name.startswith("head.")} == {4.0}
    assert {pace.opens for pace in paces.values()} == {0.0}


def test_a_decoder_stands_on_its_encoder_and_no_part_of_a_language_model_is_fresh() -> None:
    paces = by_depth(writer("t5").requires_grad_(True), 0.5, 4.0)
    assert paces["decoder.blocks.1.attention.query.weight"].factor == 1.0
    assert paces["decoder.blocks.0.cross.key.weight"].factor == 0.5
    assert paces["encoder.blocks.0.attention.query.weight"].factor == 0.125
    assert paces["encoder.embeddings.words.weight"].factor == 0.0625
    assert by_depth(writer("llama").requires_grad_(True), 0.5, 4.0)["head.weight"].factor == 1.0
