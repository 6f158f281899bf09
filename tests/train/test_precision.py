"""bf16 where the machine has it, on a copy; the weights that learn stay in fp32."""

import copy
from dataclasses import replace

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.train.precision import choose_device, choose_precision, working_copy
from dragoman.train.tuning.lora import Lora
from tests.nn.tiny_lm import writer
from tests.train.small import HOW, STILL, begun, examples, net, steps


def test_what_is_asked_for_is_taken() -> None:
    assert choose_precision("fp32", "cpu") == "fp32"
    assert choose_precision("bf16", "cpu") == "bf16"
    assert choose_precision("auto", "cpu") in ("fp32", "bf16")
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


def test_auto_follows_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert choose_precision("auto", "cpu") == "bf16"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert choose_precision("auto", "cpu") == "fp32"


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no GPU"):
        choose_device("cuda")
    with pytest.raises(UserError, match="no device named 'gpu'"):
        choose_device("gpu")


def test_the_net_computes_itself_in_fp32() -> None:
    model = net()
    working = working_copy(model, "fp32", ("head.out.weight",))
    assert working.net is model
    assert working.copies == ()


def test_the_copy_is_bf16_and_the_weights_are_not() -> None:
    training = begun(how=replace(HOW, precision="bf16"))
    assert {weight.dtype for weight in training.net.parameters()} == {torch.float32}
    assert {weight.dtype for weight in training.working.net.parameters()} == {torch.bfloat16}
    steps(training, 3)
    for kept, light in zip(training.working.weights, training.working.copies, strict=True):
        assert torch.equal(light, kept.bfloat16())
        assert kept.grad is None or kept.grad.dtype == torch.float32
        assert light.grad is None


def test_small_updates_are_not_lost() -> None:
    """A step far below bf16's resolution moves the kept weight: 1 + 1e-4 is 1 in bf16."""
    training = begun(how=replace(HOW, precision="bf16", rate=1e-6, epochs=1))
    before = {name: weight.detach().clone() for name, weight in training.weights.items()}
    steps(training)
    assert all(not torch.equal(weight, before[name]) for name, weight in training.weights.items() if weight.ndim > 1)


@pytest.mark.parametrize("tuning", [None, Lora(rank=2)])
def test_bf16_learns_as_fp32_does(tuning: Lora | None) -> None:
    first, last = {}, {}
    for precision in ("fp32", "bf16"):
        how = replace(HOW, precision=precision, epochs=5)  # type: ignore[arg-type]
        losses = [step.loss for step in steps(begun(tuning, how, net(STILL), rows=examples(96)))]
        first[precision], last[precision] = losses[0], sum(losses[-6:]) / 6
    assert first["bf16"] == pytest.approx(first["fp32"], rel=0.02)
    assert last["bf16"] < 0.6 * first["bf16"]
    assert last["fp32"] < 0.6 * first["fp32"]


def test_gradients_of_parts_add_up_in_fp32() -> None:
    whole = begun(how=replace(HOW, precision="bf16", accumulation=4))
    steps(whole, 1)
    slopes = [weight.grad for weight in whole.weights.values() if weight.grad is not None]
    assert slopes
    assert any(not torch.equal(slope, slope.bfloat16().float()) for slope in slopes)


def test_a_copy_is_never_made_in_fp32_first_and_shares_what_is_shared() -> None:
    """Deep-copied and then cast, it would hold 8 bytes a weight for a moment."""
    model = writer("llama")
    tied = model.head.weight is model.embeddings.words.weight
    light = working_copy(model, "bf16", ("head.weight",)).net
    assert (light.head.weight is light.embeddings.words.weight) == tied
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    expected = copy.deepcopy(model).to(torch.bfloat16)
    held = {**dict(light.named_parameters()), **dict(light.named_buffers())}
    wanted = {**dict(expected.named_parameters()), **dict(expected.named_buffers())}
    assert held.keys() == wanted.keys()
    for name, one in wanted.items():
        assert torch.equal(held[name], one)
        assert (held[name].dtype, held[name].requires_grad) == (one.dtype, one.requires_grad)
        assert type(held[name]) is type(one)
