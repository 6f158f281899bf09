"""What an optimiser and a loss hold whatever they are given: Muon's directions, the exact decay, the exact loss."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from dragoman.train.cross_entropy import IGNORED, linear_cross_entropy
from dragoman.train.muon import Muon, orthogonalised

SEEDS = st.integers(0, 10**6)
FEW = settings(max_examples=15, deadline=None, derandomize=True)


def matrix(rows: int, columns: int, seed: int, least: float) -> Tensor:
    """A matrix of any turn whose singular values lie between `least` and 1."""
    dice = torch.Generator().manual_seed(seed)
    left, _ = torch.linalg.qr(torch.randn(rows, rows, generator=dice, dtype=torch.float64))
    right, _ = torch.linalg.qr(torch.randn(columns, rows, generator=dice, dtype=torch.float64))
    values = least + (1.0 - least) * torch.rand(rows, generator=dice, dtype=torch.float64)
    return ((left * values) @ right.mT).float()


@FEW
@given(SEEDS, st.sampled_from([(1, 1), (2, 9), (16, 16), (20, 33), (64, 64), (64, 200)]), st.floats(1e-4, 1e4))
def test_every_direction_becomes_about_as_long(seed: int, shape: tuple[int, int], scale: float) -> None:
    """Singular values in [0.6, 1.3], the singular vectors kept: U V^T of the same matrix is its positive half."""
    given_one = matrix(*shape, seed, least=0.05) * scale
    for numbers in (torch.bfloat16, torch.float32):
        found = orthogonalised(given_one[None], numbers=numbers)[0].double()
        values = torch.linalg.svdvals(found)
        assert 0.6 <= float(values.min()) <= float(values.max()) <= 1.3
        left, _, right = torch.linalg.svd(given_one.double(), full_matrices=False)
        turned = left.mT @ found @ right.mT  # diagonal where the vectors are kept
        off = turned - turned.diagonal().diag()
        assert float(off.abs().max()) < (0.05 if numbers == torch.bfloat16 else 1e-3)


@FEW
@given(SEEDS, st.sampled_from([(16, 48), (48, 16), (24, 24)]))
def test_an_update_is_as_large_as_adamws(seed: int, shape: tuple[int, int]) -> None:
    """Its root mean square is 0.2 rates, to within what the singular values miss 1 by."""
    dice = torch.Generator().manual_seed(seed)
    weight = nn.Parameter(torch.zeros(shape))
    weight.grad = torch.randn(shape, generator=dice)
    Muon([weight], 0.5).step()
    assert 0.2 * 0.5 * 0.6 <= float(weight.detach().square().mean().sqrt()) <= 0.2 * 0.5 * 1.3


@FEW
@given(SEEDS, st.floats(0.0, 0.99))
def test_the_momentum_is_exact(seed: int, kept: float) -> None:
    """m <- kept m + (1 - kept) g, against float64."""
    dice = torch.Generator().manual_seed(seed)
    weight = nn.Parameter(torch.randn(6, 9, generator=dice))
    optimiser = Muon([weight], 0.01, momentum=kept)
    mean = torch.zeros(6, 9, dtype=torch.float64)
    for _ in range(5):
        weight.grad = torch.randn(6, 9, generator=dice)
        optimiser.step()
        mean = kept * mean + (1.0 - kept) * weight.grad.double()
    torch.testing.assert_close(optimiser.state[weight]["momentum"].double(), mean, rtol=1e-5, atol=1e-6)


@FEW
@given(SEEDS, st.floats(0.0, 1.0), st.floats(0.0, 0.5))
def test_a_gradient_of_zero_moves_nothing_but_decay(seed: int, rate: float, decay: float) -> None:
    weight = nn.Parameter(torch.randn(6, 9, generator=torch.Generator().manual_seed(seed)))
    wanted = weight.detach() * (1.0 - rate * decay)
    weight.grad = torch.zeros(6, 9)
    Muon([weight], rate, decay).step()
    assert torch.equal(weight, wanted)


@FEW
@given(SEEDS)
def test_decay_is_apart_from_the_gradient(seed: int) -> None:
    """The step with decay is the step without, less the share of the weight."""
    ends = []
    for decay in (0.0, 0.3):
        dice = torch.Generator().manual_seed(seed)
        weight = nn.Parameter(torch.randn(6, 9, generator=dice))
        before = weight.detach().clone()
        weight.grad = torch.randn(6, 9, generator=dice)
        Muon([weight], 0.1, decay).step()
        ends.append(weight.detach() + 0.1 * decay * before)
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-5, atol=1e-6)


def full(states: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, smoothing: float, z: float) -> Tensor:
    """The loss by torch, on all logits."""
    logits = functional.linear(states, weight, bias)
    total = functional.cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing)
    return total + z * logits.logsumexp(1)[labels != IGNORED].square().sum()


@FEW
@given(
    SEEDS,
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 45),
    st.booleans(),
    st.sampled_from([0.0, 0.1]),
    st.sampled_from([0.0, 0.01]),
    st.sampled_from([0.0, 0.4, 1.0]),
)
def test_the_chunked_loss_is_the_loss(
    seed: int, tokens: int, words: int, chunk: int, biased: bool, smoothing: float, z: float, ignored: float
) -> None:
    """Value and all gradients against F.cross_entropy: 1e-6 of their length in float32, 1e-12 in float64."""
    for dtype, bound in ((torch.float32, 1e-6), (torch.float64, 1e-12)):
        dice = torch.Generator().manual_seed(seed)
        drawn = [torch.randn(size, generator=dice, dtype=dtype) for size in ((tokens, 8), (words, 8), (words,))]
        labels = torch.randint(words, (tokens,), generator=dice)
        labels[torch.rand(tokens, generator=dice) < ignored] = IGNORED
        found = []
        ways: list[Callable[[Tensor, Tensor, Tensor | None], Tensor]] = [
            lambda s, w, b, labels=labels: linear_cross_entropy(s, w, b, labels, chunk, smoothing, z),  # type: ignore[misc]
            lambda s, w, b, labels=labels: full(s, w, b, labels, smoothing, z),  # type: ignore[misc]
        ]
        for way in ways:
            learning = [one.clone().requires_grad_() for one in drawn[: 3 if biased else 2]]
            loss = way(learning[0], learning[1], learning[2] if biased else None)
            (loss / tokens).backward()
            found.append([loss.detach(), *(one.grad for one in learning)])
        for ours, theirs in zip(*found, strict=True):
            assert isinstance(ours, Tensor) and isinstance(theirs, Tensor)
            assert float((ours - theirs).norm()) <= bound * max(float(theirs.norm()), 1e-2)


@pytest.mark.parametrize("ignored", [0, 3])
def test_its_gradients_are_those_of_finite_differences(ignored: int) -> None:
    dice = torch.Generator().manual_seed(0)
    states, weight, bias = (
        torch.randn(size, generator=dice, dtype=torch.float64, requires_grad=True) for size in ((7, 4), (5, 4), (5,))
    )
    labels = torch.randint(5, (7,), generator=dice)
    labels[:ignored] = IGNORED

    def loss(states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return linear_cross_entropy(states, weight, bias, labels, chunk=3, smoothing=0.1, z_loss=0.05)

    assert torch.autograd.gradcheck(loss, (states, weight, bias))


def test_in_bf16_it_is_as_near_as_the_plain_way() -> None:
    """Against float64 on the same bf16 numbers: no farther than all logits at once, plus a rounding of bf16."""
    dice = torch.Generator().manual_seed(0)
    drawn = [torch.randn(size, generator=dice).bfloat16() for size in ((300, 32), (200, 32), (200,))]
    labels = torch.randint(200, (300,), generator=dice)
    slopes = []
    for dtype, chunk in ((torch.float64, 0), (torch.bfloat16, 0), (torch.bfloat16, 16)):
        states, weight, bias = (one.to(dtype).requires_grad_() for one in drawn)
        loss = linear_cross_entropy(states, weight, bias, labels, chunk)
        loss.backward()
        slopes.append([loss.detach(), states.grad, weight.grad, bias.grad])
    for exact, plain, chunked in zip(*slopes, strict=True):
        assert exact is not None and plain is not None and chunked is not None
        length = float(exact.norm())
        far = [float((one.double() - exact).norm()) / length for one in (plain, chunked)]
        assert far[1] <= far[0] + 2**-9
        assert not math.isnan(far[1])
