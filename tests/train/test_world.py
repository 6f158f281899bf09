"""What processes tell each other arrives in all of them, errors included; alone, nothing is told."""

from typing import Any

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.train.world import World, alone
from tests.train.together import together


def test_alone_everything_is_its_own() -> None:
    world = alone()
    assert not world.sharded
    assert world.first
    assert world.total([1.0, 2.0]) == [1.0, 2.0]
    assert world.highest([3.0]) == [3.0]
    assert world.joined(["a", "b"]) == ("a", "b")
    assert world.told({"a": 1}) == {"a": 1}
    assert world.once(lambda: 7) == 7
    own = torch.tensor(2.0)
    assert world.summed(own) is own
    world.agree("texts", "x")
    net = torch.nn.Linear(2, 2)
    assert world.hollow(net) is None
    assert world.shard(net, "fp32") is net
    assert world.whole(net, None) is net
    world.shed(net)


def talk(world: World) -> dict[str, Any]:
    """Every word that a world knows."""
    own = torch.tensor(0.5 + world.rank)
    found: dict[str, Any] = {
        "total": world.total([1.0, world.rank, 2.0**53]),
        "highest": world.highest([world.rank, -world.rank]),
        "summed": float(world.summed(own)),
        "own": float(own),
        "joined": world.joined([["a", "b\0c"], ["ü"]][world.rank]),
        "nobody": world.joined([]),
        "told": world.told({"x": [1.5, None], "loss": float("inf")} if world.first else "unheard"),
        "once": world.once(lambda: f"by {world.rank}"),
    }
    for name, do in {"user": lambda: refuse(world), "bug": lambda: 1 // 0}.items():
        try:
            world.once(do)
        except UserError as error:
            found[name] = [error.problem, error.hint]
        except ZeroDivisionError:
            found[name] = "itself"
    world.agree("texts", "same")
    try:
        world.agree("texts", f"of {world.rank}")
    except UserError as error:
        found["agree"] = error.problem
    return found


def refuse(world: World) -> None:
    """A mistake that one process alone sees."""
    raise UserError(f"no room, says {world.rank}", "say train.batch=3")


def test_two_processes() -> None:
    answers = together("tests.train.test_world:talk")
    for rank, found in enumerate(answers):
        assert found["total"] == [2.0, 1.0, 2.0**54]
        assert found["highest"] == [1.0, 0.0]
        assert found["summed"] == pytest.approx(2.0)
        assert found["own"] == 0.5 + rank
        assert found["joined"] == ["a", "b\0c", "ü"]
        assert found["nobody"] == []
        assert found["told"] == {"x": [1.5, None], "loss": float("inf")}
        assert found["once"] == "by 0"
        assert found["user"] == ["no room, says 0", "say train.batch=3"]
        assert found["agree"] == "the 2 processes do not have the same texts"
    assert answers[0]["bug"] == "itself"
    assert all("ZeroDivisionError" in found["bug"][0] for found in answers[1:])


def test_a_world_of_several_says_who_speaks() -> None:
    assert World(0, 2).first
    assert not World(1, 2).first
    assert World(1, 2).sharded
