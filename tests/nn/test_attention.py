"""Attention against its formula, written out."""

import math

import pytest
import torch

from dragoman.nn.attention import Attention, Documents, Sight, attend
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


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("kind", ["all", "causal", "mask", "bias", "documents"])
def test_plain_products_answer_as_the_fused_kernel(kind: str, groups: int) -> None:
    """bf16 that learns on a CPU goes another way; both stand within bf16 of float32."""
    dice = torch.Generator().manual_seed(0)
    triangle = torch.ones(12, 12, dtype=torch.bool).tril()
    own = torch.block_diag(*(torch.ones(n, n) for n in (3, 8, 1))).bool() & triangle
    sight = {
        "all": Sight(),
        "causal": Sight(causal=True),
        "mask": Sight(mask=own.expand(2, 1, 12, 12)),
        "bias": Sight(bias=torch.randn(1, 4, 12, 12, generator=dice).masked_fill(~triangle, -torch.inf)),
        "documents": Sight(mask=own.expand(2, 1, 12, 12), causal=True, documents=Documents((3, 8, 1) * 2)),
    }[kind]
    sizes = ((2, 4, 12, 16), (2, groups, 12, 16), (2, groups, 12, 16))
    light = [torch.randn(size, generator=dice).bfloat16().requires_grad_() for size in sizes]
    exact = [each.detach().float().requires_grad_() for each in light]
    found, expected = attend(*light, sight, 0.25), attend(*exact, sight, 0.25)
    assert found.grad_fn is not None
    assert (found - expected).abs().max() < 0.03
    with torch.no_grad():
        assert (attend(*light, sight, 0.25) - expected).abs().max() < 0.03
    push = torch.randn(found.shape, generator=dice)
    found.backward(push.bfloat16())
    expected.backward(push)
    for one, other in zip(light, exact, strict=True):
        assert one.grad is not None and other.grad is not None
        assert (one.grad - other.grad).abs().max() < 0.03 * other.grad.abs().max()


def test_shares_are_dropped_in_plain_products_too() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 2, 8, 4).bfloat16().requires_grad_() for _ in range(3))
    one, other = (attend(query, key, value, Sight(), 0.5, dropout=0.5) for _ in range(2))
    assert not torch.equal(one, other)
    whole = torch.stack([attend(query, key, value, Sight(), 0.5, dropout=0.5) for _ in range(400)]).float().mean(0)
    assert (whole - attend(query, key, value, Sight(), 0.5)).abs().max() < 0.35
