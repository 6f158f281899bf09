"""Two processes learn what one does: the same texts in the same order, the same losses, the same model, gone on with
by any number of them."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from dragoman.core import durable
from dragoman.core.errors import Stopped, UserError
from dragoman.train import checkpoint
from dragoman.train.doors import Kit
from dragoman.train.held_out import hold_out
from dragoman.train.loop import Training, fit
from dragoman.train.session import Outcome, learn
from dragoman.train.trial import Numbers, corpus
from dragoman.train.tuning.scratch import Scratch
from dragoman.train.watch import Watch
from dragoman.train.world import World, alone
from tests.train.together import HOW, begun, fresh, objective_of, together

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "next token": ("clm", {}),
    "in two parts": ("clm", {"accumulation": 2, "clip": 0.1}),
    "by Muon": ("clm", {"optimizer": "muon", "accumulation": 2}),
    "masks": ("mlm", {"recompute": True}),
    "spans": ("span", {"accumulation": 2, "average": 0.0}),
}
PARTED = {"optimizer": "muon", "steps": 9}
EXACT = 1e-6
"of a loss of 5, whose last bit in float32 is worth 5e-7"
Steps = list[dict[str, Any]]


def told(training: Training, count: int = 10**6) -> Steps:
    """What the next steps say of themselves."""
    steps = (step for _, step in zip(range(count), fit(training), strict=False))
    return [{"loss": one.loss, "norm": one.norm, "names": list(one.examples), "chain": one.chain} for one in steps]


def weights(net: Any) -> dict[str, torch.Tensor]:
    """Every weight of a plain net."""
    return {name: weight.detach().clone() for name, weight in net.named_parameters()}


def session(world: World, folder: Path, measure: Callable[[Any], Mapping[str, float]], said: list[str]) -> Outcome:
    """A whole session: measured three times, the average kept."""
    net, objective = fresh("clm"), objective_of("clm")
    how = replace(HOW, steps=9, every=3 / 11, batch=6)
    watch = Watch("nats", higher=False)
    return learn(net, Numbers(), objective, Scratch(), corpus(), how, folder, measure, watch, said.append, world=world)


def measured(net: Any) -> Mapping[str, float]:
    """A figure that depends on every weight."""
    return {"nats": hold_out(net, objective_of("clm"), corpus(1, documents=5), Kit(HOW, Numbers())).loss}


def learn_together(world: World, folder: str) -> dict[str, Any]:
    """All that two processes are asked to do."""
    found: dict[str, Any] = {}
    for name, (kind, changes) in CASES.items():
        training = begun(kind, world, **changes)
        found[name] = told(training)
        net = world.whole(training.net, training.hollow)
        if world.first:
            save_file(weights(net), Path(folder, f"{name}.safetensors"))
    training, heard = begun("clm", world, **PARTED), list[str]()
    checkpoint.restore(Path(folder, "parted", "step-000003"), training, heard.append)
    found["parted"] = told(training, 3)
    found["parted said"] = heard
    checkpoint.save(Path(folder, "parted"), training, {})
    found["stopped"] = stopped(world, Path(folder, "session"))
    found["not finite"] = spoilt(world)
    return found


def stopped(world: World, folder: Path) -> dict[str, Any]:
    """A session in which the second process alone is asked to stop, and then the rest of it."""
    said, asked = list[str](), list[int]()

    def measure(net: Any) -> Mapping[str, float]:
        if not asked and not world.first:
            os.kill(os.getpid(), signal.SIGTERM)
        asked.append(1)
        return measured(net)

    with pytest.raises(Stopped) as caught:
        session(world, folder, measure, said)
    outcome = session(world, folder, measure, said)
    if world.first:
        save_file(weights(outcome.net), folder.parent / "outcome.safetensors")
    return {
        "message": str(caught.value),
        "signal": int(caught.value.signal),
        "said": said,
        "history": [dict(point) for point in outcome.history],
        "chain": outcome.chain,
        "hollow": all(weight.is_meta for weight in outcome.net.parameters()),
    }


def spoilt(world: World) -> str:
    """What is said where one number is not finite, which one process alone holds."""
    training = begun("clm", world)
    told(training, 1)
    name = "blocks.1.feed_forward.up.weight"
    with torch.no_grad():
        if not world.first:
            training.weights[name].to_local()[-1, 2] = float("nan")  # type: ignore[operator]
    with pytest.raises(UserError) as caught:
        told(training, 1)
    return caught.value.problem


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes work; a run of one process stands in it, three steps old."""
    folder = tmp_path_factory.mktemp("together")
    begins = begun("clm", alone(), **PARTED)
    told(begins, 3)
    checkpoint.save(folder / "parted", begins, {})
    return folder


@pytest.fixture(scope="module")
def answers(folder: Path) -> list[dict[str, Any]]:
    """What each of two processes answers."""
    return together("tests.laws.test_many_processes:learn_together", str(folder))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As many as the processes have."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def alike(found: Steps, wanted: Steps) -> None:
    """The same rows in the same order, and the same numbers."""
    assert [one["names"] for one in found] == [one["names"] for one in wanted]
    assert [one["chain"] for one in found] == [one["chain"] for one in wanted]
    for name in ("loss", "norm"):
        assert [one[name] for one in found] == pytest.approx([one[name] for one in wanted], rel=EXACT), name


def same(found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> None:
    """The same model, by the largest difference of two weights."""
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert float((found[name] - value).abs().max()) <= 1e-5, name


@pytest.mark.parametrize("name", CASES)
def test_the_steps_and_the_model_are_those_of_one_process(
    name: str, answers: list[dict[str, Any]], folder: Path
) -> None:
    kind, changes = CASES[name]
    one = begun(kind, alone(), **changes)
    steps = told(one)
    assert len(steps) == 6
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert answers[0][name] == answers[1][name]
    alike(answers[0][name], steps)
    same(load_file(folder / f"{name}.safetensors"), weights(one.net))


def test_one_two_one(answers: list[dict[str, Any]], folder: Path) -> None:
    """Three steps of one process, three of two, three of one: nine of one."""
    whole = begun("clm", alone(), **PARTED)
    steps, heard = told(whole), list[str]()
    alike(answers[0]["parted"], steps[3:6])
    assert "processes was 1 and is 2" in answers[0]["parted said"][0]
    path = folder / "parted" / "step-000006"
    assert not durable.problems(path)
    files = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    assert {"weights.safetensors", "process-00001/optimizer.safetensors", "process-00001/random.safetensors"} <= files
    assert {Path(name).suffix for name in files} == {".json", ".safetensors"}
    shares = [load_file(file).keys() for file in path.rglob("weights.safetensors")]
    assert len(shares) == 2
    assert shares[0] == shares[1] == whole.weights.keys()
    last = begun("clm", alone(), **PARTED)
    checkpoint.restore(path, last, heard.append)
    alike(told(last), steps[6:])
    assert last.chain == whole.chain
    same(weights(last.net), weights(whole.net))


def test_a_session_stops_at_all_and_goes_on_to_the_same_end(
    answers: list[dict[str, Any]], folder: Path, tmp_path: Path
) -> None:
    first, second = (one["stopped"] for one in answers)
    assert first["message"] == second["message"]
    assert first["message"].startswith("stopped at step 4 of 9")
    assert first["signal"] == second["signal"] == signal.SIGTERM
    assert first["said"] == ["going on from step 4 of 9"]
    assert second["said"] == []
    assert first["history"] == second["history"]
    assert (first["hollow"], second["hollow"]) == (False, True)
    wanted = session(alone(), tmp_path, measured, [])
    assert first["chain"] == wanted.chain
    for found, point in zip(first["history"], wanted.history, strict=True):
        assert found == pytest.approx(dict(point), rel=EXACT)
    same(load_file(folder / "outcome.safetensors"), weights(wanted.net))
    said: list[str] = []
    again = session(alone(), folder / "session", partial(pytest.fail, "measured again"), said)
    assert said[-1] == "going on from step 9 of 9"
    same(load_file(folder / "outcome.safetensors"), weights(again.net))


def test_what_is_not_finite_at_one_stops_all(answers: list[dict[str, Any]]) -> None:
    assert answers[0]["not finite"] == answers[1]["not finite"]
    assert "step 2: the weight blocks.1.feed_forward.up.weight is not finite" in answers[0]["not finite"]
