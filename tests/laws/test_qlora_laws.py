"""What four bits must hold: the published table and error, a base that no step moves, the gradients of the full one."""

import copy

import pytest
import torch
from torch import nn

from dragoman.train.loop import fit
from dragoman.train.low_rank import low_rank_modules
from dragoman.train.quantised import BLOCK, FourBitLinear, dense, four_bit_modules
from dragoman.train.trial import one_thread
from dragoman.train.tuning.qlora import Qlora
from tests.nn.tiny_lm import writer
from tests.train.tuning.writing import resumed, started

functions = pytest.importorskip("bitsandbytes.functional")

NF4 = [-1.0, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0.0]
NF4 += [0.0795803, 0.1609302, 0.2461123, 0.3379152, 0.4407098, 0.5626170, 0.7229568, 1.0]
"Dettmers et al. 2023, appendix E"
IDS = torch.tensor([[5, 9, 30, 3, 77, 120, 4], [60, 61, 7, 3, 1, 88, 200]])


def normal(rows: int, columns: int) -> nn.Linear:
    """A layer whose weights are N(0, 1)."""
    plain = nn.Linear(columns, rows, bias=False)
    with torch.no_grad():
        plain.weight.normal_(generator=torch.Generator().manual_seed(0))
    return plain


def test_a_number_is_one_of_the_sixteen_of_the_paper() -> None:
    """Each block of 64 numbers divided by its largest gives values of the table, all sixteen of them."""
    plain = normal(16, BLOCK)
    layer = FourBitLinear(plain)
    blocks = layer.weight / layer.weight.abs().amax(1, keepdim=True)  # the largest of a row is -1 or 1 in the table
    found = torch.unique((blocks * 1e6).round()) / 1e6
    table = torch.tensor(NF4)
    assert float((found[:, None] - table).abs().amin(1).max()) < 1e-6 * 1.5
    assert float((table[:, None] - found).abs().amin(1).max()) < 1e-6 * 1.5
    code = functions.quantize_4bit(plain.weight.detach(), blocksize=BLOCK, quant_type="nf4")[1].code
    assert torch.allclose(code, table, atol=1e-6)


def test_the_error_of_normal_numbers_is_the_known_one() -> None:
    """Relative mean square .00847 for NF4 in blocks of 64, and 0.04 % more with rounded scales; each to 1 %."""
    plain = normal(1024, 1024)
    weight = plain.weight.detach()
    rounded = functions.dequantize_4bit(*functions.quantize_4bit(weight, blocksize=BLOCK, quant_type="nf4"))
    power = float(weight.square().mean())
    assert float((rounded - weight).square().mean()) / power == pytest.approx(0.00847, rel=0.01)
    layer = FourBitLinear(plain)
    assert float((layer.weight - weight).square().mean()) / power == pytest.approx(0.008475, rel=0.01)
    assert 8 * layer.bytes / weight.numel() == pytest.approx(4.127, abs=5e-4)


def test_to_round_what_was_rounded_changes_nothing() -> None:
    """The sixteenths stay to the last one; the scales, which are rounded too, to their own step."""
    layer = FourBitLinear(normal(64, 256))
    again = FourBitLinear(layer.plain())
    assert torch.equal(again.packed, layer.packed)
    assert torch.allclose(again.weight, layer.weight, atol=2e-3)
    weight = layer.weight
    for _ in range(2):  # without rounded scales it is exact
        rounded = functions.dequantize_4bit(*functions.quantize_4bit(weight, blocksize=BLOCK, quant_type="nf4"))
        assert torch.equal(rounded, weight) or weight is layer.weight
        weight = rounded


def test_the_gradients_are_those_beside_the_full_matrices() -> None:
    """To 1e-5 of their size, against the same net with the rounded matrices as ordinary ones."""
    net = Qlora(rank=3, where=("query", "value", "up")).apply(writer("llama"), 0)
    dice = torch.Generator().manual_seed(1)
    for module in low_rank_modules(net).values():
        module.up.data.normal_(0, 0.1, generator=dice)
    plain = copy.deepcopy(net)
    dense(plain)
    assert not four_bit_modules(plain)
    plain.requires_grad_(False)
    found = []
    for one in (net, plain):
        for module in low_rank_modules(one).values():
            module.down.requires_grad_(True)
            module.up.requires_grad_(True)
        one(IDS).log_softmax(-1)[..., 7].sum().backward()
        found.append({name: weight.grad for name, weight in one.named_parameters() if weight.grad is not None})
    assert (
        found[0].keys()
        == found[1].keys()
        == {f"{name}.{half}" for name in low_rank_modules(net) for half in ("down", "up")}
    )
    for name, gradient in found[0].items():
        wanted = found[1][name]
        assert float((gradient - wanted).norm()) <= 1e-5 * float(wanted.norm()), name


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_leaves_the_base_as_it_was(precision: str) -> None:
    with one_thread():
        training = started(Qlora(rank=4), "clm", precision, rate=0.01)
        held = {name: tensor.clone() for name, tensor in training.net.state_dict().items()}
        losses = [step.loss for step in fit(training)]
    assert losses[-1] < losses[0]
    moved = {name for name, tensor in training.net.state_dict().items() if not torch.equal(tensor, held[name])}
    assert moved == {f"{name}.{half}" for name in low_rank_modules(training.net) for half in ("down", "up")}
    assert moved == set(training.weights)
    for name, layer in four_bit_modules(training.working.net).items():  # held once, in whatever precision it computes
        assert layer.packed.data_ptr() == training.net.get_submodule(name).packed.data_ptr()
        assert torch.equal(layer.weight, training.net.get_submodule(name).weight)


def test_a_killed_training_ends_as_one_that_was_not(tmp_path_factory: pytest.TempPathFactory) -> None:
    resumed(Qlora(rank=2), tmp_path_factory.mktemp("run"))
