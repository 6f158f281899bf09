"""The encoder's laws: a text means the same in any company, and the first token alone is the first token."""

from typing import Any

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.nn.encoder import Encoder, fresh_encoder, mean_pool
from dragoman.nn.padding import pad
from tests.nn.tiny import ARCHES, FAMILIES, classifier

ROWS = [[2, 7, 8, 9, 3], [2, 7, 3], [2, 30, 31, 32, 33, 34, 35, 36, 3], [2, 3]]


@pytest.mark.parametrize("family", FAMILIES)
def test_batch_is_one_by_one(family: str) -> None:
    net = classifier(family)
    ids, mask = pad(ROWS, net.arch.pad_id)
    with torch.no_grad():
        together, logits = net.encoder(ids, mask), net(ids, mask)
        for row, tokens in enumerate(ROWS):
            alone, none = pad([tokens], net.arch.pad_id)
            assert none is None
            assert (together[row, : len(tokens)] - net.encoder(alone)[0]).abs().max() < 1e-5
            assert (logits[row] - net(alone)[0]).abs().max() < 1e-5 * logits.abs().max()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_token_alone_is_the_first_token(family: str) -> None:
    net = classifier(family).encoder
    ids, mask = pad(ROWS, net.arch.pad_id)
    with torch.no_grad():
        assert (net.first(ids, mask) - net(ids, mask)[:, 0]).abs().max() < 1e-5


def test_what_stands_in_the_padding_changes_nothing() -> None:
    net = classifier("bert").encoder
    ids, mask = pad(ROWS, 0)
    assert mask is not None
    with torch.no_grad():
        before = net(ids, mask)[mask]
        ids[~mask] = 50
        assert torch.equal(net(ids, mask)[mask], before)


def test_a_mask_that_hides_nothing_is_no_mask() -> None:
    net = classifier("bert").encoder
    ids = torch.tensor([[2, 7, 3]])
    with torch.no_grad():
        assert torch.equal(net(ids, torch.ones_like(ids, dtype=torch.bool)), net(ids))


def test_a_text_beyond_the_positions_is_refused() -> None:
    net = Encoder(ARCHES["bert"])
    with pytest.raises(UserError, match="positions for 40"):
        net(torch.zeros(1, 41, dtype=torch.long))


def test_the_mean_leaves_out_the_padding() -> None:
    states = torch.tensor([[[1.0], [3.0], [100.0]], [[1.0], [2.0], [3.0]]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert mean_pool(states, mask).tolist() == [[2.0], [2.0]]
    assert mean_pool(states[1:], None).tolist() == [[2.0]]


def test_fresh_weights_follow_the_seed() -> None:
    one, same, other = (fresh_encoder(ARCHES["bert"], seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    words = "embeddings.words.weight"
    assert not torch.equal(one[words], other[words])
    assert float(one[words].std()) == pytest.approx(0.02, rel=0.05)
    assert not one["blocks.0.attention.query.bias"].any()


def test_shapes_are_checked_in_tests() -> None:
    wrong: Any = torch.zeros(2, 3, 4, dtype=torch.long)
    with pytest.raises(Exception, match="ids"):
        Encoder(ARCHES["bert"])(wrong)
