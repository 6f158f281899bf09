"""What is planned is what happens: saved bytes, the optimizer's bytes, operations, the cache, against the real net."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dragoman.nn.activations import Pass, block_bytes, step_activations
from dragoman.nn.arch import Arch
from dragoman.nn.blocks import Block
from dragoman.nn.cache import Cache
from dragoman.nn.family import FAMILIES
from dragoman.nn.footprint import Learning, cache_bytes, count, lora_parameters, training_memory
from dragoman.nn.hollow import hollow
from dragoman.nn.operations import flops
from dragoman.nn.sights import Sights
from dragoman.nn.store import build_lm
from dragoman.train.low_rank import LowRank
from tests.nets import DECODERS, MASKED, READERS, shape
from tests.published import CASES

ROPES = ("llama llama3", "llama linear", "llama yarn", "llama tied", "mistral window", "qwen2 window")  # as llama
ALL = tuple(name for name in (*DECODERS, *MASKED, *READERS) if name not in ROPES)
PRESETS = [
    (family, size) for family in FAMILIES.names() for size in FAMILIES.kind(family)().presets
]  # every published size
GPT = Arch(
    *("gpt2", 99, 128, 3, 4, 512, 64),
    kind="decoder",
    norm_place="before",
    final_norm=True,
    token_types=0,
    embedding_norm=False,
    dropout=0.0,
    attention_dropout=0.0,
)


def still(arch: Arch) -> Arch:
    """The same without dropout."""
    return replace(arch, dropout=0.0, attention_dropout=0.0)


def saved(net: nn.Module, run: Callable[[], object]) -> int:
    """Bytes of all storages that autograd saves in a run, weights left out, each once."""
    weights = {weight.untyped_storage().data_ptr() for weight in net.parameters()}
    held: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in weights:
            held[place] = tensor  # kept, so that no other tensor takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        run()
    return sum(tensor.untyped_storage().nbytes() for tensor in held.values())


def set_recompute(net: nn.Module) -> None:
    """Let every stack of the net compute its blocks once more instead of keeping them."""
    for part in net.modules():
        if hasattr(part, "recompute"):
            part.recompute = True


def reading(net: nn.Module, arch: Arch, batch: int, length: int, source: int) -> Callable[[], object]:
    """One pass forward over random tokens."""
    dice = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 90, (batch, length), generator=dice)  # [b, s]
    read = torch.randint(3, 90, (batch, source), generator=dice)  # [b, t]
    if arch.kind == "encoder-decoder":
        return lambda: net(read, None, ids)
    return lambda: net(ids)


@pytest.mark.parametrize(("family", "size"), PRESETS)
def test_parameters_of_every_published_size(family: str, size: str) -> None:
    arch = FAMILIES.kind(family)().presets[size]
    with hollow():
        weights = list(build_lm(arch).parameters())
    assert count(arch).total == sum(weight.numel() for weight in weights)
    assert count(arch).tensors == len(weights)


@pytest.mark.parametrize("name", ALL)
def test_parameters_of_every_shape(name: str) -> None:
    with hollow():
        assert count(shape(name)).total == sum(weight.numel() for weight in build_lm(shape(name)).parameters())


def test_a_layer_of_gpt_keeps_sixteen_numbers_a_token_and_width() -> None:
    """64.25 bytes x tokens x width in float32 (Korthikanti et al. 2022 without dropout): measured, and planned."""
    block = Block(GPT).train()
    states = torch.zeros(8, 64, 128, requires_grad=True)  # [b, s, w]
    sight = Sights(GPT, causal=True)(torch.arange(64)[None], None, torch.float32)[0]
    found = saved(block, lambda: block(states, sight))
    assert found == pytest.approx(64.25 * 64 * 8 * 128, rel=0.01)
    assert found == block_bytes(GPT, Pass(8, 64))


@pytest.mark.parametrize("name", ALL)
def test_activations_of_every_shape(name: str) -> None:
    check_activations(name, "fp32", dropout=False)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma3_text", "bert", "t5", "t5 gated", "bart", "alibi"])
def test_activations_with_dropout(name: str, precision: str) -> None:
    check_activations(name, precision, dropout=True)


@pytest.mark.parametrize("name", ["gpt2", "qwen3", "gemma", "bert", "t5", "alibi"])
def test_activations_in_half_precision(name: str) -> None:
    check_activations(name, "bf16", dropout=False)


def check_activations(name: str, precision: str, dropout: bool) -> None:
    """All that a pass keeps, the logits left out, as it is planned."""
    arch = shape(name) if dropout else still(shape(name))
    step = Pass(3, 12, 20, precision="bf16" if precision == "bf16" else "fp32", dropout=dropout)
    net = build_lm(arch).to(torch.bfloat16 if precision == "bf16" else torch.float32).train()
    found = saved(net, reading(net, arch, 3, 12, 20))
    assert step_activations(arch, step) == pytest.approx(found, rel=1e-3)


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen3", "gemma3_text", "bert", "t5"])
def test_activations_with_recomputed_blocks(name: str) -> None:
    """Of each block its input is kept, and one block at a time is there whole: what the plan adds to the inputs."""
    arch = still(shape(name))
    net = build_lm(arch).train()
    whole = saved(net, reading(net, arch, 3, 12, 20))
    set_recompute(net)
    found = saved(net, reading(net, arch, 3, 12, 20))
    step = Pass(3, 12, 20, recompute=True)
    live = max(block_bytes(arch, step, layer) for layer in range(arch.layers))
    if arch.kind == "encoder-decoder":
        live = block_bytes(arch, replace(step, length=20)) + block_bytes(arch, step, writes=True)
    # The angles of rotary positions reach a block in no tensor of its own, so the hooks do not see them here.
    kinds = len({arch.reach(layer) for layer in range(arch.layers)}) if arch.position == "rotary" else 0
    angles = kinds * 2 * 12 * arch.head_size * 4
    assert found < whole
    assert step_activations(arch, step) - live - angles == pytest.approx(found, rel=0.01)


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen3", "bert"])
def test_activations_where_thin_matrices_alone_learn(name: str) -> None:
    arch = still(shape(name))
    where = ("query", "value", "down")
    net = build_lm(arch).train().requires_grad_(False)
    dice = torch.Generator().manual_seed(0)
    for module_name, module in list(net.named_modules()):
        place, _, last = module_name.rpartition(".")
        if last in where and isinstance(module, nn.Linear):
            setattr(net.get_submodule(place), last, LowRank(module, 4, 1.0, 0.0, dice))
    learnt = sum(weight.numel() for weight in net.parameters() if weight.requires_grad)
    assert learnt == lora_parameters(arch, 4, where)
    block = next(module for module in net.modules() if isinstance(module, Block))
    states = torch.zeros(3, 12, arch.width, requires_grad=True)  # [b, s, w]
    sight = Sights(arch, causal=arch.kind == "decoder")(torch.arange(12)[None], None, torch.float32)[0]
    angles = 2 * 12 * arch.head_size * 4 if arch.position == "rotary" else 0  # shared by all blocks
    found = saved(block, lambda: block(states, sight)) - angles
    assert block_bytes(arch, Pass(3, 12, thin=4, where=where)) == pytest.approx(found, rel=0.01)


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma3_text", "bert", "t5"])
def test_activations_of_rows_that_hold_several_documents(name: str) -> None:
    """Every layer keeps the mask once more, in numbers of its own."""
    arch = still(shape(name))
    net = build_lm(arch).train()
    ids = torch.full((3, 16), 5)  # [b, s]
    segments = torch.tensor([0] * 6 + [1] * 10).repeat(3, 1)  # [b, s]

    def run() -> object:
        if arch.kind == "encoder-decoder":
            return net(ids, None, ids, segments=segments, target_segments=segments)
        return net(ids, segments=segments)

    found = saved(net, run)
    assert step_activations(arch, Pass(3, 16, masked=True)) == pytest.approx(found, rel=0.01)
    assert step_activations(arch, Pass(3, 16)) < found


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert", "t5 gated", "bart"])
def test_the_optimizer_holds_what_is_planned(name: str) -> None:
    arch = shape(name)
    net = build_lm(arch)
    for weight in net.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer = torch.optim.AdamW(net.parameters())
    optimizer.step()
    held = [tensor for state in optimizer.state.values() for tensor in state.values()]
    found = sum(tensor.numel() * tensor.element_size() for tensor in held)
    assert training_memory(arch, Pass(1, 8)).optimizer == found


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen3", "bert"])
def test_muon_holds_one_number_for_each_of_a_matrix(name: str) -> None:
    arch = shape(name)
    net = build_lm(arch)
    tables = [module.weight for module in net.modules() if isinstance(module, nn.Embedding)]
    tables += [weight for name, weight in net.named_parameters() if name.startswith("head.")]
    moved = [weight for weight in net.parameters() if weight.ndim == 2 and all(weight is not one for one in tables)]
    rest = [weight for weight in net.parameters() if all(weight is not one for one in moved)]
    expected = sum(4 * weight.numel() for weight in moved) + sum(8 * weight.numel() + 4 for weight in rest)
    assert training_memory(arch, Pass(1, 8), Learning("muon")).optimizer == expected


@pytest.mark.parametrize("name", ["gpt2", "qwen3", "bert", "t5 gated"])
def test_operations(name: str) -> None:
    """Torch's own counter, forward and back, within 2 %: all pairs of attention, causal or not, are counted."""
    arch = replace(still(shape(name)), layers=1, windowed=())
    arch = replace(arch, decoder_layers=min(arch.decoder_layers, 1))
    net = build_lm(arch).train()
    run = reading(net, arch, 2, 8, 12)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        logits = run()
        assert isinstance(logits, Tensor)
        logits.sum().backward()  # type: ignore[no-untyped-call]
    assert flops(arch, 2, 8, 12).total == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_recomputed_blocks_run_once_more_but_for_their_last_matrix() -> None:
    net = build_lm(GPT).train()
    set_recompute(net)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        net(torch.full((2, 8), 5)).sum().backward()
    assert flops(GPT, 2, 8, recompute=True).total == pytest.approx(counter.get_total_flops(), rel=0.02)


@pytest.mark.parametrize("name", [name for name in CASES if name not in MASKED])
def test_the_cache_holds_what_is_planned(name: str) -> None:
    arch = shape(name)
    source = 20 if arch.kind == "encoder-decoder" else 0
    cache = Cache(arch, 3, 30, torch.bfloat16, torch.device("cpu"), source)
    assert cache_bytes(arch, 3, 30, 2, source) == cache.bytes
