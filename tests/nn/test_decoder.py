"""The decoder's door: what it refuses, what it hides, and what stands in front of the prediction."""

from typing import Any

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.nn.decoder import Decoder
from tests.nets import decoder, shape, some


def test_a_text_beyond_the_positions_is_refused() -> None:
    with pytest.raises(UserError, match="positions for 128"):
        Decoder(shape("gpt2"))(torch.zeros(1, 129, dtype=torch.long))


def test_logits_are_what_the_states_predict() -> None:
    net, ids = decoder("llama"), some(2, 5)
    with torch.no_grad():
        states = net.states(ids)
        assert states.shape == (2, 5, 64)
        assert torch.equal(net(ids), net.predict(states))
        assert torch.equal(net(ids), net.head(net.refine(states)))
        assert torch.allclose(net.predict(states[:, -1]), net(ids)[:, -1], atol=1e-5)


def test_a_mask_that_hides_nothing_is_no_mask() -> None:
    net, ids = decoder("gpt2"), some(2, 5)
    with torch.no_grad():
        assert torch.equal(net(ids, torch.ones_like(ids, dtype=torch.bool)), net(ids))


def test_what_stands_in_the_padding_changes_nothing() -> None:
    net, ids = decoder("qwen3"), some(2, 6)
    mask = torch.tensor([[True] * 6, [False] * 2 + [True] * 4])
    with torch.no_grad():
        before = net(ids, mask)[mask]
        assert torch.equal(net(ids.where(mask, 50), mask)[mask], before)


def test_a_tied_head_is_the_table_of_words() -> None:
    tied, own = Decoder(shape("gpt2")), Decoder(shape("llama"))
    assert tied.head.weight is tied.embeddings.words.weight
    assert own.head.weight is not own.embeddings.words.weight
    assert "head.weight" not in dict(tied.named_parameters())


def test_it_drops_in_training_only() -> None:
    torch.manual_seed(0)
    net, ids = Decoder(shape("gpt2")), some(1, 6)
    with torch.no_grad():
        assert not torch.equal(net(ids), net(ids))
        net.eval()
        assert torch.equal(net(ids), net(ids))


def test_gradients_reach_every_parameter() -> None:
    net = Decoder(shape("gemma3_text"))
    net(some(2, 12)).logsumexp(-1).sum().backward()
    assert all(each.grad is not None and bool(each.grad.any()) for each in net.parameters())


def test_shapes_are_checked_in_tests() -> None:
    wrong: Any = torch.zeros(2, 3, 4, dtype=torch.long)
    with pytest.raises(Exception, match="ids"):
        decoder("llama")(wrong)
