"""A frozen encoder's answers are the ones it would give again."""

from dataclasses import replace

import torch

from dragoman.train.states import first_states
from tests.train.small import begun


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
