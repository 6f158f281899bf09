"""The layer of IA3: gains of one side of a frozen matrix, counted and merged exactly."""

import pytest
import torch

from dragoman.train.rescaled import Rescaled, merge_rescaled, rescaled_modules


def layer(entering: bool, bias: bool = True) -> Rescaled:
    torch.manual_seed(0)
    return Rescaled(torch.nn.Linear(12, 7, bias=bias), entering)


@pytest.mark.parametrize(("entering", "size"), [(True, 12), (False, 7)])
def test_gains_are_one_at_first(entering: bool, size: int) -> None:
    made = layer(entering)
    assert torch.equal(made.gain, torch.ones(size))
    assert [name for name, weight in made.named_parameters() if weight.requires_grad] == ["gain"]
    states = torch.randn(3, 12)
    assert torch.equal(made(states), made.whole(states))


def test_the_formula() -> None:
    states = torch.randn(2, 3, 12)
    for entering in (True, False):
        made = layer(entering)
        made.gain.data.uniform_(0.5, 2)
        plain, gain = made.whole, made.gain
        expected = plain(states * gain) if entering else plain(states) * gain
        assert torch.allclose(made(states), expected)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("entering", [True, False])
def test_merged_is_one_rounding_away_from_float64(entering: bool, bias: bool) -> None:
    made = layer(entering, bias)
    made.gain.data.uniform_(0.5, 2)
    before = made.whole.weight.clone()
    gain = made.gain.double()
    plain = made.merged()
    assert torch.equal(plain.weight, (before.double() * (gain if entering else gain[:, None])).float())
    assert torch.equal(made.whole.weight, before)
    assert (plain.bias is None) == (not bias)
    states = torch.randn(5, 12)
    assert torch.allclose(plain(states), made(states), atol=1e-6)


def test_they_are_found_and_merged_by_name() -> None:
    holder = torch.nn.ModuleDict({"one": layer(True), "two": torch.nn.Linear(2, 2)})
    assert list(rescaled_modules(holder)) == ["one"]
    merge_rescaled(holder)
    assert isinstance(holder["one"], torch.nn.Linear)
