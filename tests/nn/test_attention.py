"""Attention against its formula, written out."""

import math

import torch

from dragoman.nn.attention import Attention, Sight
from tests.nn.tiny import ARCHES, amplify

ARCH = ARCHES["bert"]


def by_hand(net: Attention, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """softmax(Q K^T / sqrt(d)) V, one head and one text at a time, in float64."""
    net = net.double()
    texts = []
    for text, seen in zip(states.double(), mask, strict=True):
        query, key, value = net.query(text), net.key(text), net.value(text)
        size = ARCH.width // ARCH.heads
        heads = []
        for head in range(ARCH.heads):
            part = slice(head * size, (head + 1) * size)
            scores = query[:, part] @ key[:, part].T / math.sqrt(size)
            scores[:, ~seen] = -math.inf
            heads.append(scores.softmax(1) @ value[:, part])
        texts.append(net.output(torch.cat(heads, 1)))
    return torch.stack(texts)


def test_equal_to_the_formula() -> None:
    torch.manual_seed(0)
    net = Attention(ARCH).eval()
    amplify(net)
    states = torch.randn(2, 7, ARCH.width)
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    with torch.no_grad():
        found = net(states, Sight(mask[:, None, None, :]))
        first = net(states, Sight(mask[:, None, None, :]), wanted=2)
        expected = by_hand(net, states, mask)
    assert (found - expected).abs().max() < 1e-4
    assert (first - found[:, :2]).abs().max() < 1e-5


def test_what_is_hidden_changes_nothing() -> None:
    torch.manual_seed(0)
    net = Attention(ARCH).eval()
    states = torch.randn(1, 6, ARCH.width)
    visible = Sight(torch.tensor([[True] * 4 + [False] * 2])[:, None, None, :])
    with torch.no_grad():
        before = net(states, visible)[:, :4]
        states[:, 4:] += 100
        assert torch.equal(net(states, visible)[:, :4], before)


def test_attention_drops_in_training_only() -> None:
    torch.manual_seed(0)
    net = Attention(ARCH)
    states = torch.randn(1, 6, ARCH.width)
    with torch.no_grad():
        assert not torch.equal(net(states, Sight()), net(states, Sight()))
        assert torch.equal(net.eval()(states, Sight()), net(states, Sight()))
