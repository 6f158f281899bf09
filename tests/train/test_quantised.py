"""A layer in four bits answers as its matrix in full does, costs no copy, and is merged onto the untouched matrix."""

import builtins
import copy
import sys
from typing import Any

import pytest
import torch
from torch import nn

from dragoman.core.errors import UserError
from dragoman.train.low_rank import low_rank_modules
from dragoman.train.quantised import FourBitLinear, dense, four_bit_modules, merge_onto, quantise
from dragoman.train.tuning.qlora import Qlora
from tests.nn.tiny_lm import writer

pytest.importorskip("bitsandbytes")

IDS = torch.tensor([[5, 9, 30, 3, 77, 120, 4]])


def layer(rows: int = 24, columns: int = 40, bias: bool = True) -> tuple[nn.Linear, FourBitLinear]:
    torch.manual_seed(0)
    plain = nn.Linear(columns, rows, bias=bias)
    return plain, FourBitLinear(plain)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(24, 40), (7, 3), (7, 6), (1, 1)])
def test_it_answers_as_its_matrix_in_full(size: tuple[int, int], bias: bool) -> None:
    plain, four = layer(*size, bias=bias)
    states = torch.randn(2, 5, size[1], requires_grad=True)
    wanted = four.plain()
    assert torch.equal(wanted.weight, four.weight)
    assert torch.allclose(four(states), wanted(states), atol=1e-6)
    assert torch.allclose(four(states.detach()), wanted(states), atol=1e-6)
    with torch.no_grad():  # half of the widest step of the table, and the rounding of the scale
        assert float((four.weight - plain.weight).abs().max()) <= 0.16 * float(plain.weight.abs().max())
    slopes = [torch.autograd.grad(one(states).square().sum(), states)[0] for one in (four, wanted)]
    assert torch.allclose(slopes[0], slopes[1], rtol=1e-4, atol=1e-5)
    assert not [name for name, weight in four.named_parameters() if name != "bias" and weight.requires_grad]


def test_a_cast_and_a_copy_leave_the_bits_alone() -> None:
    _, four = layer()
    twin = copy.deepcopy(four).to(torch.bfloat16)
    assert torch.equal(twin.weight, four.weight)
    assert twin.packed is four.packed and twin.scales is four.scales
    assert twin.bias is not None and twin.bias.dtype == torch.bfloat16
    assert four.bias is not None and four.bias.dtype == torch.float32
    states = torch.randn(3, 40)
    assert twin(states.bfloat16()).dtype == torch.bfloat16
    assert torch.allclose(twin(states.bfloat16()).float(), four(states), atol=0.05)
    assert torch.equal(four.double().weight, twin.weight)


def test_it_keeps_nothing_wide_for_the_gradient() -> None:
    """What autograd holds of a layer is no matrix: the same states serve both ways."""
    _, four = layer(256, 256)
    states = torch.randn(4, 256, requires_grad=True)
    held: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda one: held.append(one.numel()) or one, lambda one: one):
        four(states).sum()
    assert sum(held) < 256 * 256 // 8


def test_every_matrix_of_the_blocks_and_nothing_else() -> None:
    net = writer("t5")
    quantise(net)
    assert len(four_bit_modules(net)) == 2 * 6 + 2 * 10
    assert all(".blocks." in name for name in four_bit_modules(net))
    answer = net(IDS, None, IDS[:, :3])
    dense(net)
    assert not four_bit_modules(net)
    assert torch.allclose(net(IDS, None, IDS[:, :3]), answer, atol=1e-4)


def test_merging_adds_to_the_matrices_of_before_the_rounding() -> None:
    net = Qlora(rank=2, where=("query", "down")).apply(writer("llama"), 0)
    dice = torch.Generator().manual_seed(1)
    for module in low_rank_modules(net).values():
        module.up.data.normal_(0, 0.1, generator=dice)
    learnt = {name: (module.up @ module.down * module.scale).detach() for name, module in low_rank_modules(net).items()}
    untouched = dict(writer("llama").named_parameters())
    merged = merge_onto(net, writer("llama"))
    held = dict(merged.named_parameters())
    assert held.keys() == untouched.keys()
    for name, weight in held.items():
        added = learnt.get(name.removesuffix(".weight"), torch.zeros(()))
        assert torch.allclose(weight, untouched[name] + added, atol=1e-6), name


def test_another_base_is_refused() -> None:
    net = Qlora(rank=2).apply(writer("llama"), 0)
    with pytest.raises(UserError, match="not the one that was rounded"):
        merge_onto(net, writer("llama", seed=1))
    assert len(four_bit_modules(net)) == len(low_rank_modules(net))


def test_where_bitsandbytes_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.split(".")[0] == "bitsandbytes":
            raise ImportError(name)
        return load(name, *rest, **named)

    for name in [name for name in sys.modules if name.split(".")[0] == "bitsandbytes"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    net = writer("llama")
    with pytest.raises(UserError) as caught:
        quantise(net)
    assert caught.value.hint == 'pip install "dragoman[quant]"'
    assert not four_bit_modules(net)
    assert "kernels" not in sys.modules
