"""Dropout is on exactly where something learns."""

from dragoman.train.modes import set_modes
from dragoman.train.tuning.head import Head
from dragoman.train.tuning.lora import Lora
from tests.train.small import net


def test_a_frozen_encoder_has_no_dropout() -> None:
    model = Head().apply(net(), 0)
    set_modes(model.train())
    assert not any(module.training for module in model.encoder.modules())
    assert all(module.training for module in model.head.modules())


def test_dropout_goes_with_the_block_it_stands_in() -> None:
    model = net()
    model.encoder.embeddings.requires_grad_(False)
    model.encoder.blocks[0].requires_grad_(False)
    set_modes(model)
    assert not model.encoder.embeddings.dropout.training
    assert not model.encoder.blocks[0].dropout.training  # type: ignore[union-attr]
    assert not model.encoder.blocks[0].attention.training  # type: ignore[union-attr]
    assert model.encoder.blocks[1].dropout.training  # type: ignore[union-attr]
    assert model.encoder.blocks[1].attention.training  # type: ignore[union-attr]


def test_a_frozen_matrix_beside_a_learning_pair_stays_in_evaluation() -> None:
    model = Lora(where=("query",)).apply(net(), 0)
    set_modes(model)
    query = model.encoder.blocks[0].attention.query  # type: ignore[union-attr]
    assert query.training  # type: ignore[union-attr]
    assert not query.whole.training  # type: ignore[union-attr]
    assert not model.encoder.blocks[0].feed_forward.training  # type: ignore[union-attr]
