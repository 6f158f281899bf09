"""The chunked loss: which path is taken, which tokens count, and that no tensor is as large as the logits."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from dragoman.train import cross_entropy
from dragoman.train.cross_entropy import IGNORED, chunk_size, linear_cross_entropy


def task(tokens: int = 50, words: int = 31, width: int = 12, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """States, weight, bias and labels, of which every fifth is ignored."""
    dice = torch.Generator().manual_seed(tokens)
    states = torch.randn(tokens, width, generator=dice)
    weight = torch.randn(words, width, generator=dice)
    bias = torch.randn(words, generator=dice)
    labels = torch.randint(words, (tokens,), generator=dice)
    labels[::5] = IGNORED
    return [*(one.to(dtype).requires_grad_() for one in (states, weight, bias)), labels]


class Largest(TorchDispatchMode):
    """Remembers the most numbers a tensor had that was made."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        known = {one.untyped_storage().data_ptr() for one in args if isinstance(one, Tensor)}
        for one in made if isinstance(made, tuple | list) else (made,):
            if isinstance(one, Tensor) and one.untyped_storage().data_ptr() not in known:  # a view is nothing new
                self.numbers = max(self.numbers, one.numel())
        return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_tensor_is_larger_than_a_chunk(dtype: torch.dtype) -> None:
    states, weight, bias, labels = task(160, 125, 8, dtype)
    with Largest() as chunked:
        linear_cross_entropy(states, weight, bias, labels, chunk=16, z_loss=1e-3, smoothing=0.1).backward()
    assert chunked.numbers == 16 * 125  # more than the states and their gradient have
    with Largest() as plain:
        linear_cross_entropy(states, weight, bias, labels).backward()
    assert plain.numbers == 160 * 125


def test_nothing_of_the_logits_waits_for_the_way_back() -> None:
    states, weight, bias, labels = task(640, 500, 8)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda one: kept.append(one.numel()) or one, lambda one: one):
        linear_cross_entropy(states, weight, bias, labels, chunk=16)
    assert sorted(kept) == [500, 500 * 8, 640 * 8]


def test_the_chunk_is_chosen_by_the_number_of_logits() -> None:
    assert chunk_size(768, 65) == 768
    assert chunk_size(4096, 50257) == 667
    assert chunk_size(100, 50257) == 100
    assert chunk_size(4, 2**30) == 1
    assert chunk_size(0, 65) == 0


@pytest.mark.parametrize("limits", [(0, 64, 32), (0, 2**25, 2**19), (0, 1, 1)])
def test_it_is_the_same_whatever_the_limits(limits: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for chosen in (None, limits):
        if chosen:
            for name, limit in zip(("PLAIN", "CHUNK", "BLOCK"), chosen, strict=True):
                monkeypatch.setattr(cross_entropy, name, limit)
        states, weight, bias, labels = task(dtype=torch.float64)
        loss = linear_cross_entropy(states, weight, bias, labels, smoothing=0.1, z_loss=0.01)
        loss.backward()
        found.append([loss, states.grad, weight.grad, bias.grad])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("chunk", [0, 7])
def test_no_label_is_no_loss(chunk: int) -> None:
    for tokens in (0, 9):
        states, weight, bias, labels = task(tokens)
        loss = linear_cross_entropy(states, weight, bias, labels.fill_(IGNORED), chunk, smoothing=0.1, z_loss=0.1)
        assert loss.item() == 0.0
        loss.backward()
        for one in (states, weight, bias):
            assert one.grad is not None
            assert not one.grad.any()


@pytest.mark.parametrize("chunk", [0, 7])
def test_what_an_ignored_token_holds_does_not_matter(chunk: int) -> None:
    """Not even a number that is not finite, where the token is left out; a gradient of 0 in any case."""
    states, weight, bias, labels = task()
    linear_cross_entropy(states, weight, bias, labels, chunk).backward()
    assert states.grad is not None
    assert not states.grad[labels == IGNORED].any()
    assert states.grad[labels != IGNORED].any(1).all()


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (1, 2), (0, 1, 2)])
def test_what_does_not_learn_has_no_gradient(frozen: tuple[int, ...]) -> None:
    inputs, alike = task(), task()
    for place in frozen:
        inputs[place].requires_grad_(False)
    loss = linear_cross_entropy(*inputs[:3], inputs[3], chunk=7)  # type: ignore[arg-type, misc]
    assert loss.requires_grad == (len(frozen) < 3)
    linear_cross_entropy(*alike[:3], alike[3], chunk=7).backward()  # type: ignore[arg-type, misc]
    if loss.requires_grad:
        loss.backward()
    for place in range(3):
        slope = inputs[place].grad
        assert (slope is None) == (place in frozen)
        assert slope is None or torch.equal(slope, alike[place].grad)  # type: ignore[arg-type]


def test_without_gradients_it_takes_none() -> None:
    states, weight, bias, labels = task(40, 500, 8)
    with torch.no_grad(), Largest() as seen:
        loss = linear_cross_entropy(states, weight, bias, labels, chunk=2)
    assert not loss.requires_grad
    assert seen.numbers == 2 * 500  # not even the gradient of the weight, 4,000 numbers
    torch.testing.assert_close(loss, linear_cross_entropy(states, weight, bias, labels).detach())


def test_gradients_add_up_and_can_be_asked_for_twice() -> None:
    states, weight, bias, labels = task(dtype=torch.float64)
    loss = linear_cross_entropy(states, weight, bias, labels, chunk=7) / 40
    loss.backward(retain_graph=True)
    once = [one.grad.clone() for one in (states, weight, bias) if one.grad is not None]
    loss.backward()
    for one, slope in zip((states, weight, bias), once, strict=True):
        torch.testing.assert_close(one.grad, 2 * slope, rtol=1e-14, atol=0)


@pytest.mark.parametrize("chunk", [0, 7])
def test_autocast_changes_nothing(chunk: int) -> None:
    found = []
    for on in (False, True):
        states, weight, bias, labels = task()
        with torch.autocast("cpu", torch.bfloat16, enabled=on):
            loss = linear_cross_entropy(states, weight, bias, labels, chunk)
        loss.backward()
        found.append([loss, states.grad, weight.grad, bias.grad])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("chunk", [0, 7])
def test_light_states_go_with_a_weight_in_full(chunk: int) -> None:
    """As autocast leaves them: the logits are those of the light numbers, the gradients come in each one's dtype."""
    states, weight, bias, labels = task()
    light = states.detach().bfloat16().requires_grad_()
    loss = linear_cross_entropy(light, weight, bias, labels, chunk)
    loss.backward()
    logits = functional.linear(light, weight.bfloat16(), bias.bfloat16()).float()
    torch.testing.assert_close(loss, functional.cross_entropy(logits, labels, reduction="sum"))
    assert [one.grad.dtype for one in (light, weight, bias) if one.grad is not None] == [
        torch.bfloat16,
        torch.float32,
        torch.float32,
    ]


def test_many_chunks_in_bf16_do_not_lose_the_last_ones() -> None:
    """1,024 equal tokens one by one, each worth 1/2: a sum in bf16 would stop growing at 128."""
    states = torch.ones(1024, 1, dtype=torch.bfloat16)
    weight = torch.zeros(2, 1, dtype=torch.bfloat16, requires_grad=True)
    linear_cross_entropy(states, weight, None, torch.zeros(1024, dtype=torch.long), chunk=1).backward()
    assert weight.grad is not None
    assert weight.grad.flatten().tolist() == [-512.0, 512.0]
