"""Blocks that run twice give the same gradients and keep less."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from dragoman.nn.store import fresh_lm
from tests.nets import shape, some

KINDS = ("gpt2", "qwen3", "gemma3_text", "bert", "t5", "bart")


def told(net: nn.Module, recompute: bool) -> nn.Module:
    for part in net.modules():
        if hasattr(part, "recompute"):
            part.recompute = recompute
    return net


def saved(run: Callable[[], Tensor]) -> int:
    held: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        run()
    return sum(tensor.untyped_storage().nbytes() for tensor in held.values())


@pytest.mark.parametrize("name", KINDS)
def test_gradients_are_equal_to_the_bit_and_less_is_kept(name: str) -> None:
    arch = replace(shape(name), dropout=0.1, attention_dropout=0.1)
    rows = torch.arange(3).repeat_interleave(torch.tensor([9, 4, 11])).repeat(2, 1)
    found: list[dict[str, Tensor]] = []
    kept: list[int] = []
    for recompute in (False, True):
        net = told(fresh_lm(arch).train(), recompute)

        def run(net: nn.Module = net) -> Tensor:
            torch.manual_seed(3)
            ids = some(2, 24)
            if name in ("t5", "bart"):
                states = net.states(ids, None, some(2, 24, 1), segments=rows, target_segments=rows)  # type: ignore[operator]
            else:
                states = net.states(ids, segments=rows)  # type: ignore[operator]
            total: Tensor = states.square().sum()
            return total

        run().backward()
        found.append({key: each.grad for key, each in net.named_parameters() if each.grad is not None})
        kept.append(saved(run))
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])
    assert any(bool(each.any()) for each in found[0].values())
    assert kept[1] < 0.7 * kept[0]


def test_who_only_answers_computes_once() -> None:
    net, calls = told(fresh_lm(shape("gpt2")), True), []
    net.blocks[0].register_forward_pre_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        net.train()(some(1, 4))
    net.eval()(some(1, 4)).sum().backward()
    assert len(calls) == 2
    net.train()(some(1, 4)).sum().backward()
    assert len(calls) == 4
