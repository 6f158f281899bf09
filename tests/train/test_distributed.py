"""Processes find each other or say why not; each holds its share of the net, and nobody waits for the dead."""

from typing import Any

import pytest
import torch
from torch import distributed as group
from torch import nn

from dragoman.core.errors import UserError
from dragoman.nn.masked import MaskedLM
from dragoman.train.distributed import hollow_copy, join, leave
from dragoman.train.loop import fit
from dragoman.train.pieces import held, rows_of
from dragoman.train.world import World, alone
from tests.train.together import begun, ended, fresh, started, together

SET = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of torchrun."""
    for name in SET:
        monkeypatch.delenv(name, raising=False)


def test_without_torchrun_there_is_nobody_to_join() -> None:
    assert join() == alone()
    leave()
    leave(failed=True)
    assert not group.is_initialized()


@pytest.mark.parametrize("name", SET)
def test_half_of_the_variables(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other, value in SET.items():
        if other != name:
            monkeypatch.setenv(other, value)
    with pytest.raises(UserError, match=f"but {name} is not") as caught:
        join()
    assert "torchrun --nproc-per-node 2" in caught.value.hint
    assert not group.is_initialized()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"RANK": "two"}, "RANK is 'two', which is no number"),
        ({"RANK": "2"}, "RANK is 2 of WORLD_SIZE 2"),
        ({"RANK": "-1"}, "RANK is -1 of WORLD_SIZE 2"),
        ({"MASTER_PORT": "port"}, "process 0 of 2 finds no others at 127.0.0.1:port"),
    ],
)
def test_variables_that_make_no_sense(changes: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SET | changes).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as caught:
        join("cpu")
    assert said in caught.value.problem
    assert not group.is_initialized()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SET.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"cannot train on {device}"):
        join(device)


def test_torchrun_with_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SET | {"WORLD_SIZE": "1"}).items():
        monkeypatch.setenv(name, value)
    assert join("cpu") == World(0, 1, "cpu")
    assert not group.is_initialized()


def test_a_hollow_copy_is_tied_where_the_net_is() -> None:
    net = fresh("mlm")
    copy = hollow_copy(net)
    assert isinstance(copy, MaskedLM)
    assert all(weight.is_meta for weight in copy.parameters())
    assert copy.head.weight is copy.encoder.embeddings.words.weight
    assert [name for name, _ in copy.named_parameters()] == [name for name, _ in net.named_parameters()]
    assert not any(weight.is_meta for weight in net.parameters())


def look_inside(world: World) -> dict[str, Any]:
    """What a process holds before, during and after steps."""
    with pytest.raises(UserError) as refused:
        world.shard(nn.Linear(2, 2), "fp32")
    training = begun("clm", world, precision="bf16", optimizer="muon", steps=2)
    seen, net = list[str](), training.net
    net.blocks[0].register_forward_hook(lambda module, given, states: seen.append(str(states.dtype)))
    steps = list(fit(training))
    weights = training.weights
    net.eval()
    with torch.no_grad():
        logits = net(torch.tensor([[5, 6, 7]]))
        net.states(torch.tensor([[5, 6, 7]]))
    left = hasattr(net.head.weight, "to_local")
    world.shed(net)
    return {
        "refused": refused.value.hint,
        "seen": sorted(set(seen)),
        "kept": sorted({str(weight.dtype) for weight in weights.values()}),
        "slopes": sorted({str(weight.grad.dtype) for weight in weights.values() if weight.grad is not None}),
        "rows": [list(rows_of(weight)) for weight in weights.values()],
        "whole": [len(weight) for weight in weights.values()],
        "held": sum(held(weight).numel() for weight in weights.values()),
        "state": sum(
            held(value).numel() for one in training.optimisers for own in one.state.values() for value in own.values()
        ),
        "tied": net.head.weight is net.embeddings.words.weight,
        "shared": [left, hasattr(net.head.weight, "to_local")],
        "steps": len(steps),
        "logits": list(logits.shape),
    }


def test_each_holds_its_share() -> None:
    first, second = together("tests.train.test_distributed:look_inside")
    numbers = sum(weight.numel() for weight in fresh("clm").parameters())
    assert first["held"] + second["held"] == numbers
    assert abs(first["held"] - second["held"]) < 0.05 * numbers
    for low, high, whole in zip(first["rows"], second["rows"], first["whole"], strict=True):
        assert (low[0], high[1]) == (0, whole)
        assert low[1] == high[0] == -(-whole // 2)
    for found in (first, second):
        assert found["refused"] == "start this one without torchrun"
        assert found["seen"] == ["torch.bfloat16"]
        assert found["kept"] == found["slopes"] == ["torch.float32"]
        assert found["state"] < 2.1 * found["held"]
        assert found["tied"]
        assert found["shared"] == [False, True]
        assert found["steps"] == 2
        assert found["logits"] == [1, 3, 200]


def die(world: World) -> int:
    """The second process fails in its second step; the first one waits for it."""
    training = begun("clm", world)
    for _ in fit(training):
        if not world.first:
            raise RuntimeError("a wire was cut")
    return 0


def test_nobody_waits_for_a_dead_process() -> None:
    first, second = ended(started("tests.train.test_distributed:die"))
    assert "a wire was cut" in second.said
    assert second.code == 1
    assert first.code != 0
