"""What befalls the training of a language model: full disks, signals, clocks, other settings, a life of one step."""

import errno
import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dragoman.core import durable
from dragoman.core.errors import Busy, Stopped, UserError
from dragoman.stages.proofs.faults import FAULTS
from dragoman.stages.proofs.nursery import Job, nursery
from dragoman.stages.proofs.order import chain
from dragoman.stages.proofs.resume import OFTEN
from dragoman.train import checkpoint
from dragoman.train.doors import Step
from dragoman.train.loop import Training, begin, fit
from dragoman.train.objectives.clm import Clm
from dragoman.train.objectives.mlm import Mlm
from dragoman.train.trial import HOW, TRIALS, Numbers, begun, bits, corpus, fresh, one_thread, train, trial
from dragoman.train.tuning.scratch import Scratch
from tests.laws.syscalls import Calls, hidden, killed, refusing, watched

MUON, PLAIN, MASKS = trial("clm, muon, bf16"), trial("clm, adamw, fp32"), trial("mlm, adamw, fp32")
SHORT = {"epochs": 1.0, "every": 0.5}
forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
linux = pytest.mark.skipif(sys.platform != "linux", reason="the calls are told apart through /proc")


@pytest.fixture(autouse=True)
def alone_on_a_core() -> Iterator[None]:
    with one_thread():
        yield


def stepped(training: Training, count: int) -> list[Step]:
    return [step for _, step in zip(range(count), fit(training), strict=False)]


def inside(training: Training) -> dict[str, bytes]:
    """Every bit of the weights and of the optimisers' state."""
    found = {name: weight.detach().numpy().tobytes() for name, weight in training.weights.items()}
    for optimiser in training.optimisers:
        for name, weight in training.weights.items():
            for key, value in optimiser.state.get(weight, {}).items():
                found[f"{key}/{name}"] = value.numpy().tobytes()
    return found


def restored(folder: Path) -> Training:
    training, said = begun(MUON), list[str]()
    path = checkpoint.newest(folder, said.append)
    assert path is not None
    checkpoint.restore(path, training, said.append)
    assert said == []
    return training


@linux
def test_t04_a_disk_that_is_full_at_any_call_of_a_save(tmp_path: Path) -> None:
    training = begun(MUON)
    stepped(training, 2)
    checkpoint.save(tmp_path / "before", training, {})
    old = inside(training)
    stepped(training, 2)
    new, folder = inside(training), tmp_path / "run"

    def prepare() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "before", folder)

    prepare()
    with watched(Calls()) as calls:
        checkpoint.save(folder, training, {})
    told: list[str] = []
    for number in range(len(calls.seen)):
        prepare()
        with watched(refusing(number, errno.ENOSPC)):
            try:
                checkpoint.save(folder, training, {})
            except UserError as error:
                told.append(error.problem)
        assert hidden(folder) in ([], [".step-000004.staging"]), calls.seen[number]
        assert inside(restored(folder)) in (old, new)
        checkpoint.save(folder, training, {})
        assert hidden(folder) == []
        assert inside(restored(folder)) == new
    assert len(told) > 15
    assert all(f"no space left while writing {folder}" in text and "bytes free" in text for text in told)


@linux
@forks
@pytest.mark.parametrize("bytes_", [3_000, 60_000, 120_000])
def test_t04_a_tensor_file_that_is_torn_in_the_middle(tmp_path: Path, bytes_: int) -> None:
    """RLIMIT_FSIZE ends the write of a file as a full disk does, in the writer of safetensors too."""
    training = begun(MUON)
    stepped(training, 2)
    checkpoint.save(tmp_path, training, {})
    old = inside(training)
    stepped(training, 1)
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            checkpoint.save(tmp_path, training, {})
        except UserError as error:
            os._exit(7 if "no space left" in error.problem else 8)
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert hidden(tmp_path) == []
    assert inside(restored(tmp_path)) == old


@pytest.mark.parametrize("fault", FAULTS)
def test_t05_every_file_with_every_fault(tmp_path: Path, fault: str) -> None:
    training, files = begun(MUON), 0
    stepped(training, 1)
    checkpoint.save(tmp_path / "before", training, {})
    old = inside(training)
    stepped(training, 1)
    for file in sorted(checkpoint.save(tmp_path / "before", training, {}).iterdir()):
        folder, said = tmp_path / file.name, list[str]()
        shutil.copytree(tmp_path / "before", folder)
        FAULTS[fault](folder / "step-000002" / file.name)
        path, again = checkpoint.newest(folder, said.append), begun(MUON)
        assert path == folder / "step-000001"
        assert f"step-000002/{file.name}" in said[0]
        assert "set aside as step-000002.damaged-1" in said[0]
        assert said[1] == "1 steps of training are lost and done again"
        checkpoint.restore(path, again, pytest.fail)
        assert inside(again) == old
        stepped(again, 1)
        assert checkpoint.save(folder, again, {}) == folder / "step-000002"
        assert inside(again) == inside(training)
        files += 1
    assert files == 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_t08_a_signal_saves_and_the_same_call_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    whole = bits(train(MASKS, tmp_path / "whole", changes=SHORT), tmp_path / "whole")

    def log(step: Step) -> None:
        if step.number == 3:
            os.kill(os.getpid(), number)

    with pytest.raises(Stopped, match="step 3 of 8; everything is saved") as stopped:
        train(MASKS, tmp_path / "run", changes=SHORT, log=log)
    assert stopped.value.signal == number
    said: list[str] = []
    assert bits(train(MASKS, tmp_path / "run", changes=SHORT, said=said.append), tmp_path / "run") == whole
    assert said == ["going on from step 3 of 8"]


@linux
def test_t08_t09_a_second_signal_ends_it_and_its_folder_is_its_own(tmp_path: Path) -> None:
    """While it trains another is refused by name; ended at once, it leaves a whole state and a free lock."""
    job = Job(PLAIN.name, str(tmp_path / "run"), 0, {**OFTEN, "epochs": 500.0})
    with nursery() as raising:
        child = raising.start(job)
        while not durable.versions(Path(job.folder), "step"):
            time.sleep(0.01)
        with pytest.raises(Busy, match=f"process {child} on .* since"):
            train(PLAIN, Path(job.folder))
        os.kill(child, signal.SIGTERM)
        os.kill(child, signal.SIGTERM)
        # Whoever takes both for one, since they came too fast, ends as a wish does: saved, by the exception Stopped.
        assert raising.ended() in (128 + signal.SIGTERM, 1)
    with durable.lock(Path(job.folder)):
        kept = durable.versions(Path(job.folder), "step")
        assert kept
        assert all(not durable.problems(path) for _, path in kept)


@pytest.mark.parametrize("days", [-2, 2])
def test_t10_a_clock_that_was_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Which state is the newest is told by its step, and how long it took by a clock that nobody moves."""
    whole = bits(train(PLAIN, tmp_path / "whole", changes=SHORT), tmp_path / "whole")

    def log(step: Step) -> None:
        if step.number == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped):
        train(PLAIN, tmp_path / "run", changes=SHORT, log=log)
    now = time.time()
    for number, (_, path) in enumerate(durable.versions(tmp_path / "run", "step")):
        moved = now + days * 86_400 * (1 - 2 * number)
        for file in [*path.iterdir(), path]:
            os.utime(file, (moved, moved))
    monkeypatch.setattr(time, "time", lambda: now + days * 86_400)
    said: list[str] = []
    outcome = train(PLAIN, tmp_path / "run", changes=SHORT, said=said.append)
    assert said == ["going on from step 6 of 8"]
    assert bits(outcome, tmp_path / "run") == whole
    assert 0 < outcome.seconds < 3600
    assert [step for step, _ in durable.versions(tmp_path / "run", "step")] == [6, 8]


def other(**changes: Any) -> Training:
    """The plain trial with something else in it."""
    how = {**SHORT, **changes.pop("how", {})}
    given: dict[str, Any] = {
        "objective": Clm(),
        "data": corpus(),
        "tokenizer": Numbers(),
        "net": fresh(PLAIN),
    } | changes
    whole = replace(HOW, **how)
    return begin(given["net"], given["tokenizer"], given["objective"], Scratch(), given["data"], whole)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": corpus(1)}, "examples was"),
        ({"data": replace(corpus(), shares=(0.5, 0.5))}, "examples was"),
        ({"tokenizer": Numbers(mask_id=4)}, "tokenizer.mask_id was 3 and is 4"),
        ({"tokenizer": Numbers(bos_id=2)}, "tokenizer.bos_id was 1 and is 2"),
        ({"objective": Clm(z_loss=1e-4)}, "objective.z_loss was 0.0 and is 0.0001"),
        ({"how": {"optimizer": "muon"}}, "train.optimizer was adamw and is muon"),
        ({"how": {"max_length": 16}}, "train.max_length was 24 and is 16"),
        ({"how": {"seed": 1}}, "train.seed was 0 and is 1"),
        ({"how": {"epochs": 2.0}}, "train.epochs was 1.0 and is 2.0"),
        ({"net": fresh(PLAIN, 5)}, "weights was"),
    ],
)
def test_t11_what_changed_is_refused_by_name(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = checkpoint.save(tmp_path, other(), {})
    with pytest.raises(UserError, match="was made with other settings") as refused:
        checkpoint.restore(path, other(**change), pytest.fail)
    assert said in refused.value.problem


def test_t11_a_setting_of_the_masks_is_refused_too(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, begun(MASKS), {})
    with pytest.raises(UserError, match=r"objective\.share was 0\.15 and is 0\.3"):
        checkpoint.restore(path, begun(replace(MASKS, objective=Mlm(share=0.3))), pytest.fail)


def test_t12_another_number_of_threads_is_said_and_losses_stay_close(tmp_path: Path) -> None:
    losses, said = [], list[str]()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        training = begun(PLAIN, changes={"steps": 100})
        losses.append([step.loss for step in stepped(training, 100)])
        if threads == 1:
            path = checkpoint.save(tmp_path, training, {})
        else:
            checkpoint.restore(path, begun(PLAIN, changes={"steps": 100}), said.append)
    assert len(losses[0]) == 100
    assert max(abs(one - two) for one, two in zip(*losses, strict=True)) <= 1e-4
    assert len(said) == 1
    assert "threads was 1 and is 2" in said[0]
    assert "losses stay close, bits do not" in said[0]


@linux
@forks
def test_t13_a_kill_while_old_states_go_and_the_best_is_exchanged(tmp_path: Path) -> None:
    """At every call of a save with its best weights there is a newest state, whole, and the best it needs is whole."""
    training, before = begun(MUON), tmp_path / "before"
    for step in (1, 2):
        stepped(training, 1)
        checkpoint.save_weights(before / f"best-{step:06d}", training, {})
        checkpoint.save(before, training, {"best": step})
    stepped(training, 1)

    def work(folder: Path = tmp_path / "run") -> None:
        checkpoint.save_weights(folder / "best-000003", training, {})
        checkpoint.save(folder, training, {"best": 3})
        durable.retain(folder, "best", checkpoint.KEEP)

    shutil.copytree(before, tmp_path / "count")
    with watched(Calls()) as calls:
        work(tmp_path / "count")
    seen = set()
    for number in range(len(calls.seen)):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        shutil.copytree(before, tmp_path / "run")
        assert killed(work, number, "before"), calls.seen[number]
        path = checkpoint.newest(tmp_path / "run", pytest.fail)
        assert path is not None, calls.seen[number]
        best = checkpoint.read_notes(path)["best"]
        assert not durable.problems(tmp_path / "run" / f"best-{best:06d}"), calls.seen[number]
        seen.add(best)
        with watched(Calls()):
            work()
        assert hidden(tmp_path / "run") == [], calls.seen[number]
    assert seen == {2, 3}


def test_t14_resumed_after_every_step(tmp_path: Path) -> None:
    """30 lives of one step each: the same bits, the same order, and no more on the disk than after the fifth."""
    steps = {"epochs": 4.0, "steps": 30, "every": 9.0}
    whole, orders = train(MUON, tmp_path / "whole", changes=steps), dict[int, list[str]]()
    sizes: list[int] = []
    for life in range(1, 31):

        def log(step: Step, life: int = life) -> None:
            assert step.number == life
            orders[step.number] = list(step.examples)
            if life < 30:
                os.kill(os.getpid(), signal.SIGTERM)

        if life < 30:
            with pytest.raises(Stopped):
                train(MUON, tmp_path / "run", changes=steps, log=log)
        else:
            outcome = train(MUON, tmp_path / "run", changes=steps, log=log)
        sizes.append(sum(path.stat().st_size for path in (tmp_path / "run").rglob("*.safetensors")))
    assert bits(outcome, tmp_path / "run") == bits(whole, tmp_path / "whole")
    assert chain(orders) == whole.chain
    assert len(set(sizes[4:29])) == 1
    assert sorted(path.name for path in (tmp_path / "run").iterdir() if path.is_dir()) == [
        "best-000030",
        "step-000029",
        "step-000030",
    ]


@pytest.mark.parametrize("one", [*TRIALS[:3], TRIALS[7]], ids=lambda one: one.name)
def test_t15_the_order_is_that_of_the_seed_however_it_is_cut_and_resumed(tmp_path: Path, one: Any) -> None:
    whole = begun(one, changes={"steps": 6})
    order = [step.examples for step in stepped(whole, 6)]
    for parts in (1, 2, 4):
        cut = begun(one, changes={"steps": 6, "accumulation": parts})
        before = [step.examples for step in stepped(cut, 2)]
        again = begun(one, changes={"steps": 6, "accumulation": parts})
        checkpoint.restore(checkpoint.save(tmp_path / str(parts), cut, {}), again, pytest.fail)
        assert before + [step.examples for step in stepped(again, 4)] == order
        assert again.chain == whole.chain
    assert chain(dict(enumerate(map(list, order)))) == whole.chain
    other = begun(one, seed=1, changes={"steps": 6})
    stepped(other, 6)
    assert other.chain != whole.chain


def test_t15_the_state_tells_where_the_chain_stands(tmp_path: Path) -> None:
    train(PLAIN, tmp_path, changes=SHORT)
    state = json.loads((durable.versions(tmp_path, "step")[-1][1] / "state.json").read_text())
    training = begun(PLAIN, changes=SHORT)
    stepped(training, 8)
    assert state["chain"] == training.chain
