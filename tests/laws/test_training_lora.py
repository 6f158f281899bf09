"""LoRA's laws: nothing at the start, exact scales, a merge that loses nothing, gradients flat in the rank."""

import pytest
import torch

from dragoman.train.low_rank import LowRank, low_rank_modules
from dragoman.train.tuning.lora import Lora
from tests.train.small import begun, net, steps

IDS = torch.tensor([[1, 5, 9, 30, 2], [1, 60, 61, 7, 2]])


@torch.no_grad()
def test_without_its_adapter_it_is_the_base_model_bit_for_bit() -> None:
    base = net().requires_grad_(False)(IDS, None)
    model = Lora(rank=4).apply(net(), 0).eval()
    model.head.load_state_dict(net().head.state_dict())
    for module in low_rank_modules(model).values():
        module.up.data.normal_()
    assert not torch.equal(model(IDS, None), base)
    for module in low_rank_modules(model).values():
        module.up.data.zero_()
    assert torch.equal(model(IDS, None), base)


@pytest.mark.parametrize("stabilised", [False, True])
@pytest.mark.parametrize("rank", [1, 4, 16])
def test_the_merged_matrix_is_exact(rank: int, stabilised: bool) -> None:
    """In fp32 the merge differs from the sum in float64 by its one rounding, and the base is not touched."""
    lora = Lora(rank=rank, alpha=16.0, stabilised=stabilised)
    model = lora.apply(net(), 0)
    for module in low_rank_modules(model).values():
        module.up.data.normal_(generator=torch.Generator().manual_seed(1))
    pairs = dict(low_rank_modules(model))
    exact = {
        name: m.whole.weight.double() + (16.0 / (rank**0.5 if stabilised else rank)) * m.up.double() @ m.down.double()
        for name, m in pairs.items()
    }
    kept = {name: module.whole.weight.clone() for name, module in pairs.items()}
    merged = lora.merge(model)
    for name, wanted in exact.items():
        weight = merged.get_parameter(f"{name}.weight")
        assert torch.equal(weight, wanted.float())
        assert torch.equal(pairs[name].whole.weight, kept[name])
    assert not low_rank_modules(merged)


def slope(rank: int, stabilised: bool) -> float:
    """The length of B's gradient at the start, for an input and an output slope of fixed size."""
    scale = Lora(rank=rank, alpha=16.0, stabilised=stabilised).scale
    torch.manual_seed(0)
    low = LowRank(torch.nn.Linear(512, 64), rank, scale, 0.0, torch.Generator().manual_seed(3))
    states, pull = torch.randn(64, 512), torch.randn(64, 64)
    (low(states) * pull).sum().backward()  # type: ignore[no-untyped-call]
    assert low.up.grad is not None
    return float(low.up.grad.norm())


def test_stabilised_gradients_are_flat_in_the_rank() -> None:
    """Kalajdzievski 2023: alpha / sqrt(r) keeps their length from rank 4 to 256; alpha / r lets it fall by 8."""
    ranks = (4, 16, 64, 256)
    flat = [slope(rank, True) for rank in ranks]
    assert max(flat) < 1.2 * min(flat)
    falling = [slope(rank, False) for rank in ranks]
    assert falling[0] / falling[-1] == pytest.approx(8.0, rel=0.2)


def test_dropout_is_off_once_it_is_trained() -> None:
    training = begun(Lora(rank=2, dropout=0.5))
    steps(training, 3)
    model = training.net.eval()
    assert torch.equal(model(IDS, None), model(IDS, None))
