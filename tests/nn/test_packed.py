"""A packed matrix is the same matrix: to rounding in fp32 and bf16, to half a step of 1/127 in eight bits."""

import pytest
import torch
from torch import Tensor, nn

from dragoman.nn.decode import Writer, read
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.norms import RmsNorm
from dragoman.nn.packed import DynamicLinear, EightBitLinear, PackedLinear, PackedNorm, pack
from tests.nn.tiny_lm import DECODERS, SOURCES, WRITERS, writer

SIZES = [(64, 96), (33, 7), (100, 50), (31, 1), (160, 33), (1, 5), (48, 64)]
DICE = torch.Generator().manual_seed(0)


def layer(inside: int, outside: int, bias: bool = True) -> nn.Linear:
    made = nn.Linear(inside, outside, bias=bias)
    with torch.no_grad():
        made.weight.normal_(generator=DICE)
        if bias:
            made.bias.normal_(generator=DICE)
    return made


def off(found: Tensor, expected: Tensor) -> float:
    """How far apart, in relation to the expected lengths."""
    return float((found.float() - expected).norm() / expected.norm())


@torch.no_grad()
def logits(net: Writer) -> Tensor:
    ids = torch.tensor([SOURCES[1], SOURCES[6]])
    if isinstance(net, EncoderDecoder):
        found: Tensor = net(ids, None, torch.tensor([[2, *SOURCES[0]], [2, *SOURCES[0][::-1]]]))
    else:
        found = net(ids)
    return found.float()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 3, 8, 9, 40])
@pytest.mark.parametrize(("inside", "outside"), SIZES)
@torch.no_grad()
def test_eight_bits_are_near(inside: int, outside: int, rows: int, bias: bool) -> None:
    plain = layer(inside, outside, bias)
    states = torch.randn(rows, inside, generator=DICE)
    expected = plain(states)
    kept = EightBitLinear(plain)(states.bfloat16())
    assert kept.shape == expected.shape
    assert kept.dtype == torch.bfloat16
    # Half a step of the largest weight, and three roundings to bf16.
    bound = states.abs().sum(1, keepdim=True) * plain.weight.abs().amax(1) * (0.5 / 127 + 3 * 2**-8) + 0.05
    assert bool(((kept.float() - expected).abs() <= bound).all())
    dynamic = DynamicLinear(plain)(states)
    assert dynamic.dtype == torch.float32
    # Each side is wrong by half a step at the most.
    steps = states.abs().amax(1, keepdim=True) / 254
    coarse = states.abs().sum(1, keepdim=True) * plain.weight.abs().amax(1) / 254
    coarse = coarse + steps * plain.weight.abs().sum(1) + steps * plain.weight.abs().amax(1) / 254 * inside
    assert bool(((dynamic - expected).abs() <= coarse * 1.001 + 1e-5).all())
    if rows * outside * inside > 10_000:
        assert off(kept, expected) < 0.015
        assert off(dynamic, expected) < 0.02


@pytest.mark.parametrize(("inside", "outside"), SIZES)
@torch.no_grad()
def test_few_rows_and_many_rows_agree(inside: int, outside: int) -> None:
    plain = layer(inside, outside)
    states = torch.randn(24, inside, generator=DICE)
    kept = EightBitLinear(plain)
    many = kept(states.bfloat16())
    few = torch.cat([kept(row[None].bfloat16()) for row in states])
    assert torch.allclose(many.float(), few.float(), rtol=0.02, atol=0.02 * float(many.float().abs().max()))


@pytest.mark.parametrize(("inside", "outside"), SIZES)
@torch.no_grad()
def test_a_rows_result_does_not_depend_on_the_others(inside: int, outside: int) -> None:
    dynamic = DynamicLinear(layer(inside, outside))
    states = torch.randn(24, inside, generator=DICE) * torch.logspace(-4, 4, 24)[:, None]
    together = dynamic(states)
    assert torch.equal(together, torch.cat([dynamic(row[None]) for row in states]))
    assert torch.equal(together[[5, 1]], dynamic(states[[5, 1]]))


@torch.no_grad()
def test_rows_of_zeros_and_shapes_of_any_depth() -> None:
    plain = layer(32, 8)
    for kept, dtype in ((EightBitLinear(plain), torch.bfloat16), (DynamicLinear(plain), torch.float32)):
        assert torch.allclose(kept(torch.zeros(2, 32, dtype=dtype)), plain.bias.to(dtype).expand(2, -1))
        states = torch.randn(2, 3, 32, generator=DICE).to(dtype)
        assert kept(states).shape == (2, 3, 8)
        assert torch.equal(kept(states[:, -1]), kept(states[:, -1].contiguous()))  # a view with gaps
    with torch.no_grad():
        plain.weight[3] = 0  # a row with no largest weight
    assert torch.allclose(EightBitLinear(plain)(states.bfloat16())[..., 3].float(), plain.bias[3].bfloat16().float())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("inside", "outside"), SIZES)
@torch.no_grad()
def test_a_packed_layer_rounds_and_nothing_else(inside: int, outside: int, dtype: torch.dtype) -> None:
    plain = layer(inside, outside).to(dtype)
    packed = PackedLinear(plain)
    for states in (torch.randn(1, inside), torch.randn(2, 3, inside), torch.randn(4, 3, inside)[:, -1]):
        states = states.to(dtype)
        expected = plain(states)
        assert packed(states).dtype == dtype
        assert torch.allclose(
            packed(states),
            expected,
            rtol=1e-5 if dtype == torch.float32 else 0.02,
            atol=1e-5 if dtype == torch.float32 else 0.05,
        )


@pytest.mark.parametrize("name", WRITERS)
def test_a_packed_model_says_nearly_the_same(name: str) -> None:
    expected = logits(writer(name))
    rounding = off(logits(writer(name).bfloat16()), expected)  # what bf16 costs by itself
    assert rounding < 0.1
    coarse = 1.3 * rounding + 0.04
    bounds = {"fp32": 1e-5, "bf16": 1.3 * rounding, "int8": coarse, "int8_dynamic": coarse}
    for weights, bound in bounds.items():
        net = writer(name)
        pack(net, weights)
        assert off(logits(net), expected) < bound, weights


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("weights", ["int8", "int8_dynamic", "bf16"])
def test_a_packed_model_reads_with_a_cache(name: str, weights: str) -> None:
    net = writer(name)
    pack(net, weights)
    reading = read(net, SOURCES[:3], 4, 0)
    assert reading.logits.dtype == (torch.float32 if weights == "int8_dynamic" else torch.bfloat16)
    assert reading.cache.layers[0].keys.dtype == torch.float32  # a CPU attends in it, see nn.decode
    ids = torch.tensor([[4], [5], [6]])
    together = reading.go_on(ids)
    for row in range(3):
        alone = read(net, [SOURCES[row]], 4, 0).go_on(ids[[row]])
        assert off(together[[row]], alone.float()) < (1e-5 if weights == "int8_dynamic" else 0.03)


def test_no_matrix_is_left_out() -> None:
    for name in ("t5", "bart", "gpt2", "llama"):
        net = writer(name)
        pack(net, "int8")
        assert not [path for path, module in net.named_modules() if isinstance(module, nn.Linear)]
        crossed = [module for path, module in net.named_modules() if "cross." in path]
        assert bool(crossed) == (name not in DECODERS)


def test_eight_bits_are_a_quarter_of_the_memory() -> None:
    plain = layer(256, 512)
    kept = EightBitLinear(plain)
    held = sum(each.numel() * each.element_size() for each in kept.state_dict().values())
    assert held / sum(each.numel() * each.element_size() for each in plain.parameters()) < 0.26
    assert not list(kept.parameters())


def test_each_weight_is_within_half_a_step() -> None:
    """The step that is kept has three digits: whole numbers are taken of that one, from weights as they were."""
    plain = layer(300, 40)
    kept = EightBitLinear(plain)
    steps = kept.scales.float()[:, None]
    assert bool(((kept.numbers * steps - plain.weight).abs() <= 0.52 * steps).all())
    net = nn.Sequential(layer(300, 40))
    wide = net[0].weight.detach().clone()
    pack(net, "int8")
    assert isinstance(net[0], EightBitLinear)
    steps = net[0].scales.float()[:, None]
    assert bool(((net[0].numbers * steps - wide).abs() <= 0.52 * steps).all())


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_packed_norm_is_the_norm(shift: float) -> None:
    plain = RmsNorm(48, 1e-5, shift)
    torch.manual_seed(0)
    with torch.no_grad():
        plain.weight.normal_()
    for scale in (1e-4, 1.0, 1e4):
        states = torch.randn(3, 5, 48) * scale
        with torch.no_grad():
            expected = plain(states)
            found = PackedNorm(plain)(states)
        assert (found - expected).abs().max() <= 1e-6 * expected.abs().max()
