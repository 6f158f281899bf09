"""A frozen encoder's answers are the ones it would give again."""

from dataclasses import replace

import torch

from dragoman.train.states import first_states, remembering
from tests.train.small import begun, net


def test_they_are_the_encoder_s_own_in_the_order_of_the_examples() -> None:
    training = begun()
    training.net.eval()
    states = first_states(training.net.encoder, training.encoded, training.kit)
    assert states.shape == (40, 16)
    assert not states.requires_grad
    for row in (0, 7, 39):
        alone = training.net.encoder.first(torch.tensor([training.encoded.ids[row]]), None)[0]
        assert torch.allclose(states[row], alone, atol=1e-5)


def test_they_are_computed_in_the_precision_that_is_meant() -> None:
    training = begun()
    exact = first_states(training.net.encoder, training.encoded, training.kit)
    light = first_states(training.net.encoder, training.encoded, replace(training.kit, precision="bf16"))
    assert light.dtype == torch.float32
    assert not torch.equal(exact, light)
    assert torch.nn.functional.cosine_similarity(exact, light).min() > 0.99
    assert next(training.net.parameters()).dtype == torch.float32


def test_a_frozen_encoder_reads_each_batch_once() -> None:
    model, read = net(), []
    model.encoder.blocks[0].register_forward_hook(lambda *_: read.append(1))
    ids = torch.tensor([[1, 5, 2, 0], [1, 6, 7, 2]])
    mask = ids > 0
    with torch.no_grad(), remembering(model.encoder):
        said = [model(ids, mask) for _ in range(3)]
        assert len(read) == 1
        other = [model(ids.flip(0), mask.flip(0)), model(ids, None), model(ids[:, :3], None)]
        assert len(read) == 4
        model.head.out.bias += 1.0
        assert torch.allclose(model(ids, mask), said[0] + 1.0)  # the head is not remembered
    assert torch.equal(said[0], said[2])
    assert not torch.equal(said[0], other[1])
    model(ids, mask)
    assert len(read) == 5


def test_nothing_is_remembered_in_training() -> None:
    model, read = net(), []
    model.encoder.blocks[0].register_forward_hook(lambda *_: read.append(1))
    ids = torch.tensor([[1, 5, 2]])
    with remembering(model.encoder):
        model(ids, None)
        model(ids, None)
        model.train()
        with torch.no_grad():
            model(ids, None)
            model(ids, None)
    assert len(read) == 4
