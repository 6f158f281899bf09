"""Muon: which weights it moves, what its state is, and how a weight that many processes hold is put together."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import distributed, nn

from dragoman.train.muon import Muon, like, orthogonalised, whole

SHAPES = ((16, 16), (48, 16), (16, 48), (7, 33), (33, 7), (40, 96), (16, 16), (40, 40))


def matrices(seed: int = 0) -> list[nn.Parameter]:
    """Matrices of many shapes, some alike and some the other lying down."""
    dice = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=dice)) for shape in SHAPES]


def walk(optimiser: Muon, weights: list[nn.Parameter], steps: int = 3) -> None:
    """Some steps along gradients that each weight gets by its place in the list."""
    for step in range(steps):
        for place, weight in enumerate(weights):
            dice = torch.Generator().manual_seed(100 * step + place)
            weight.grad = torch.randn(weight.shape, generator=dice)
        optimiser.step()


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_neither_order_nor_grouping_changes_a_bit(precision: str) -> None:
    ends = []
    for grouping in ("one", "turned", "each", "two"):
        weights = matrices()
        groups: dict[str, list[list[nn.Parameter]]] = {
            "one": [weights],
            "turned": [weights[::-1]],
            "each": [[weight] for weight in weights],
            "two": [weights[::2], weights[1::2]],
        }
        tables = [{"params": group} for group in groups[grouping]]
        optimiser = Muon(tables, 0.02, 0.1, precision="fp32" if precision == "fp32" else "bf16")
        walk(optimiser, weights)
        ends.append([*weights, *(optimiser.state[weight]["momentum"] for weight in weights)])
    for other in ends[1:]:
        assert all(torch.equal(one, same) for one, same in zip(ends[0], other, strict=True))


def test_a_group_has_its_own_rate_decay_and_momentum() -> None:
    alone, together = matrices(), matrices()
    settings = [{"lr": 0.1, "weight_decay": 0.0, "momentum": 0.5}, {"lr": 0.01, "weight_decay": 0.3}]
    tables = [{"params": together[:3]} | settings[0], {"params": together[3:]} | settings[1]]
    walk(Muon(tables, 1.0), together)
    first, second = Muon(alone[:3], 0.1, 0.0, 0.5), Muon(alone[3:], 0.01, 0.3, 0.95)
    for step in range(3):
        for place, weight in enumerate(alone):
            weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(100 * step + place))
        first.step()
        second.step()
    assert all(torch.equal(one, same) for one, same in zip(alone, together, strict=True))


def test_its_state_is_one_tensor_a_weight_and_goes_on_from_it() -> None:
    weights, twins = matrices(), matrices()
    whole_run, first = Muon(weights, 0.02), Muon(twins, 0.02)
    walk(whole_run, weights, 2)
    walk(first, twins, 2)
    for weight in twins:
        assert set(first.state[weight]) == {"momentum"}
        assert first.state[weight]["momentum"].shape == weight.shape
        assert first.state[weight]["momentum"].dtype == torch.float32
    second = Muon(twins, 0.02)
    for weight in twins:
        second.state[weight]["momentum"] = first.state[weight]["momentum"].clone()
    walk(whole_run, weights, 1)
    walk(second, twins, 1)
    assert all(torch.equal(one, same) for one, same in zip(weights, twins, strict=True))


def test_a_weight_without_a_gradient_stays_and_so_does_its_momentum() -> None:
    weights = matrices()
    optimiser = Muon(weights, 0.02, 0.5)
    walk(optimiser, weights, 1)
    before = weights[0].detach().clone()
    held = optimiser.state[weights[0]]["momentum"].clone()
    weights[0].grad = None
    optimiser.step()
    assert torch.equal(weights[0], before)
    assert torch.equal(optimiser.state[weights[0]]["momentum"], held)
    for weight in weights:
        weight.grad = None
    optimiser.step()


def test_momentum_of_a_light_weight_is_float32() -> None:
    weight = nn.Parameter(torch.randn(16, 32).bfloat16())
    weight.grad = torch.randn(16, 32).bfloat16()
    optimiser = Muon([weight], 0.02)
    optimiser.step()
    assert optimiser.state[weight]["momentum"].dtype == torch.float32
    assert weight.dtype == torch.bfloat16


def test_what_is_no_matrix_is_a_bug_that_speaks() -> None:
    with pytest.raises(ValueError, match=r"\(5,\)"):
        Muon([nn.Parameter(torch.zeros(5))], 0.02)


def test_a_plain_weight_is_whole() -> None:
    weight = torch.zeros(3, 4)
    update = torch.ones(3, 4)
    assert whole(update, weight) is update
    assert like(update, weight) is update


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[None]:
    """A group of one process."""
    distributed.init_process_group("gloo", f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("alone")
def test_a_weight_of_a_group_of_processes_moves_as_a_plain_one() -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

    mesh = init_device_mesh("cpu", (1,))
    for place in (Shard(0), Shard(1), Replicate()):
        shared = [nn.Parameter(distribute_tensor(weight.detach().clone(), mesh, [place])) for weight in matrices()]
        optimiser = Muon(shared, 0.02, 0.1)
        twins = matrices()
        other = Muon(twins, 0.02, 0.1)
        for step in range(2):
            for number, (weight, twin) in enumerate(zip(shared, twins, strict=True)):
                twin.grad = torch.randn(twin.shape, generator=torch.Generator().manual_seed(10 * step + number))
                weight.grad = distribute_tensor(twin.grad.clone(), mesh, [place])
            optimiser.step()
            other.step()
        for weight, twin in zip(shared, twins, strict=True):
            assert isinstance(weight, DTensor)
            assert isinstance(optimiser.state[weight]["momentum"], DTensor)
            assert torch.equal(weight.full_tensor(), twin)
            update = torch.randn(twin.shape)
            assert torch.equal(whole(like(update, weight), weight), update)


def test_a_stack_of_any_size_gives_each_matrix_the_same() -> None:
    dice = torch.Generator().manual_seed(1)
    for shape in ((1, 1), (5, 7), (7, 33), (16, 16), (33, 65)):
        stack = torch.randn((5, *shape), generator=dice)
        for numbers in (torch.bfloat16, torch.float32):
            found = orthogonalised(stack, numbers=numbers)
            assert found.dtype == numbers
            assert found.shape == stack.shape
            for place in range(5):
                assert torch.equal(orthogonalised(stack[place : place + 1], numbers=numbers)[0], found[place])
