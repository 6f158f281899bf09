"""A session measures, keeps the best, stops early, is stopped and goes on, and says what it did."""

import os
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dragoman.core import durable
from dragoman.core.errors import Busy, Stopped, UserError
from dragoman.nn.heads import Classifier
from dragoman.train.fitting import Lesson
from dragoman.train.objectives.classify import Classify
from dragoman.train.objectives.sft import Sft
from dragoman.train.session import Outcome, learn
from dragoman.train.tuning.full import Full
from dragoman.train.tuning.head import Head
from dragoman.train.tuning.lora import Lora
from dragoman.train.watch import Watch
from tests.train.lessons import HOW as LESSONS
from tests.train.lessons import lessons, model, words
from tests.train.small import ARCH, HOW, STILL, Words, accuracy, examples, learned, net

LONG = replace(HOW, epochs=5)
LOSS = Watch("loss", higher=False)


def scripted(*scores: float) -> Callable[[Classifier], Mapping[str, float]]:
    """A measurement that answers with given scores."""
    left = list(scores)
    return lambda _: {"accuracy": left.pop(0)}


def weights(outcome: Outcome) -> dict[str, bytes]:
    """Every bit of the net that came out."""
    return {name: weight.detach().numpy().tobytes() for name, weight in outcome.net.named_parameters()}


def test_an_outcome_tells_the_whole_story(tmp_path: Path) -> None:
    said: list[str] = []
    outcome = learned(tmp_path, how=replace(HOW, max_length=5), said=said)
    assert outcome.steps == outcome.planned == 15
    assert [point["step"] for point in outcome.history] == [5, 10, 15]
    assert [point["epoch"] for point in outcome.history] == [1.0, 2.0, 3.0]
    assert outcome.best == {name: outcome.history[outcome.best_step // 5 - 1][name] for name in ("accuracy", "logit")}
    assert len(outcome.losses) == 15
    assert outcome.history[0]["loss"] == pytest.approx(sum(outcome.losses[:5]) / 5)
    assert outcome.tokens == 3 * sum(min(5, len(row.text.split()) + 2) for row in examples())
    assert outcome.seconds > 0
    assert outcome.memory > 10**7
    assert len(outcome.chain) == 64
    assert outcome.cut > 0
    assert said == [f"{outcome.cut} of 40 examples are cut to 5 tokens"]


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    rows, said = lessons(6), list[str]()
    rows += [replace(rows[0], answers=(" ",)), replace(rows[0], answers=("y" * 99,)), replace(rows[0], answers=())]
    long = replace(rows[1], prompt=(replace(rows[1].prompt[0], content="x" * 99),))
    how = replace(LESSONS, steps=1)
    outcome = learn(
        model(),
        words(),
        Sft(),
        Full(),
        Lesson([*rows, long]),
        how,
        tmp_path,
        lambda _: {"loss": 1.0},
        LOSS,
        said.append,
    )
    assert (outcome.cut, outcome.dropped) == (1, 3)
    cut, left = said
    assert cut == "1 of 10 examples are cut to 96 tokens" and left.startswith("3 of 10 examples are left out: ")


def test_the_best_weights_come_back(tmp_path: Path) -> None:
    seen = []

    def measure(model: Classifier) -> Mapping[str, float]:
        seen.append(model(torch.tensor([[1, 13, 2]]), None))
        return {"accuracy": (0.5, 0.9, 0.7, 0.8, 0.9)[len(seen) - 1]}

    outcome = learned(tmp_path, how=LONG, measure=measure)
    assert outcome.best_step == 10  # a tie does not take its place
    assert torch.equal(outcome.net.eval()(torch.tensor([[1, 13, 2]]), None), seen[1])
    assert not torch.equal(seen[4], seen[1])


def test_lower_can_be_better(tmp_path: Path) -> None:
    outcome = learned(tmp_path, how=LONG, measure=scripted(3, 1, 2, 4, 5), watch=Watch("accuracy", higher=False))
    assert outcome.best_step == 10


@pytest.mark.parametrize(("patience", "steps"), [(1, 15), (2, 20), (3, 25), (0, 25)])
def test_patience(tmp_path: Path, patience: int, steps: int) -> None:
    how = replace(LONG, patience=patience)
    outcome = learned(tmp_path, how=how, measure=scripted(0.1, 0.5, 0.5, 0.4, 0.5))
    assert (outcome.steps, outcome.best_step, outcome.planned) == (steps, 10, 25)


@pytest.mark.parametrize(("every", "at"), [(0.5, [3, 5, 8, 10]), (2.0, [10]), (5.0, [10]), (0.01, list(range(1, 11)))])
def test_measured_as_often_as_asked(tmp_path: Path, every: float, at: list[int]) -> None:
    outcome = learned(tmp_path, how=replace(HOW, epochs=2, every=every))
    assert [point["step"] for point in outcome.history] == at


def test_a_finished_session_is_not_done_again(tmp_path: Path) -> None:
    first = learned(tmp_path)
    said: list[str] = []

    def never(_: Classifier) -> Mapping[str, float]:
        raise AssertionError("measured again")

    second = learned(tmp_path, measure=never, said=said)
    assert weights(first) == weights(second)
    alike = {"net": first.net, "memory": 0, "seconds": 0.0, "saving": 0.0}
    assert replace(first, **alike) == replace(second, **alike)  # type: ignore[arg-type]
    assert said == ["going on from step 15 of 15"]


def test_measuring_changes_nothing(tmp_path: Path) -> None:
    """However often it is measured, and whatever that draws, the training sees the same random numbers and modes."""

    def draws(model: Classifier) -> Mapping[str, float]:
        torch.rand(1000)
        assert not any(module.training for module in model.modules())
        assert not torch.is_grad_enabled()
        return accuracy(model)

    last = replace(HOW, every=9.0)
    often = learned(tmp_path / "often", how=replace(HOW, every=0.2), measure=draws)
    once = learned(tmp_path / "once", how=last)
    assert often.losses == once.losses


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("inside", ["a step", "a measurement"])
def test_a_signal_saves_and_the_same_call_goes_on(tmp_path: Path, inside: str, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    whole = learned(tmp_path / "whole")
    calls = []

    def measure(model: Classifier) -> Mapping[str, float]:
        calls.append(1)
        if inside == "a measurement" and len(calls) == 2:
            os.kill(os.getpid(), number)
        return accuracy(model)

    model = net()
    if inside == "a step":
        hook = model.head.register_forward_hook(
            lambda module, given, said: os.kill(os.getpid(), number) if len(calls) == 1 and module.training else None
        )
    with pytest.raises(Stopped) as caught:
        learned(tmp_path / "parted", measure=measure, model=model)
    if inside == "a step":
        hook.remove()
    assert caught.value.signal == number
    assert "everything is saved" in str(caught.value)
    step = 6 if inside == "a step" else 10
    assert f"step {step} of 15" in str(caught.value)
    said: list[str] = []
    rest = learned(tmp_path / "parted", said=said)
    assert said == [f"going on from step {step} of 15"]
    assert weights(rest) == weights(whole)
    assert rest.history == whole.history
    assert rest.losses == whole.losses
    assert rest.chain == whole.chain
    assert signal.getsignal(number) is before


def test_reading_all_texts_once_does_not_hold_up_a_stop(tmp_path: Path) -> None:
    whole = learned(tmp_path / "whole", Head())
    model = net()
    model.encoder.blocks[1].register_forward_hook(lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stopped, match="step 0 of 15"):
        learned(tmp_path / "parted", Head(), model=model)
    assert weights(learned(tmp_path / "parted", Head())) == weights(whole)


def test_the_state_is_saved_as_time_goes_by(tmp_path: Path) -> None:
    whole = learned(tmp_path / "whole")

    class Killed(Exception):
        pass

    def dies(model: Classifier) -> Mapping[str, float]:
        raise Killed

    with pytest.raises(Killed):
        learned(tmp_path / "parted", how=replace(HOW, save_seconds=0.0, save_share=1.0), measure=dies)
    assert [step for step, _ in durable.versions(tmp_path / "parted", "step")] == [4, 5]
    assert weights(learned(tmp_path / "parted")) == weights(whole)


def test_damaged_best_weights_are_learnt_again(tmp_path: Path) -> None:
    whole = learned(tmp_path / "whole", measure=scripted(0.3, 0.2, 0.1))
    learned(tmp_path / "hurt", measure=scripted(0.3, 0.2, 0.1))
    (tmp_path / "hurt" / "best-000005" / "weights.safetensors").write_bytes(b"")
    said: list[str] = []
    again = learned(tmp_path / "hurt", measure=scripted(0.3, 0.2, 0.1), said=said)
    assert weights(again) == weights(whole)
    assert again.history == whole.history
    assert "best-000005/weights.safetensors has 0 bytes" in said[0]
    assert (tmp_path / "hurt" / "best-000005.damaged-1").is_dir()
    assert not durable.problems(tmp_path / "hurt" / "best-000005")


def test_only_what_is_needed_stays_on_the_disk(tmp_path: Path) -> None:
    learned(tmp_path, how=replace(LONG, epochs=8), measure=scripted(*(0.1 * n for n in range(1, 9))))
    assert [step for step, _ in durable.versions(tmp_path, "step")] == [35, 40]
    assert [step for step, _ in durable.versions(tmp_path, "best")] == [35, 40]


def test_two_sessions_in_one_folder(tmp_path: Path) -> None:
    with durable.lock(tmp_path), pytest.raises(Busy, match=f"process {os.getpid()}"):
        learned(tmp_path)


def test_a_figure_that_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        learned(tmp_path, watch=Watch("f2"))
    assert caught.value.problem == "validation has no figure named f2"
    assert caught.value.hint == "it has accuracy, logit"


def test_too_little_room_is_said_before_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(UserError, match="1,000 free"):
        learned(tmp_path, measure=pytest.fail)


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    learn(
        net(),
        Words(),
        Classify(),
        Full(),
        examples(),
        HOW,
        tmp_path,
        accuracy,
        Watch("accuracy"),
        lambda _: None,
        lambda done, text: told.append((done, text)),
    )
    assert told[-1][0] == 1.0
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][1].startswith("step 15 of 15 · loss ")


@pytest.mark.parametrize("tuning", [Head(), Lora(rank=2)])
def test_other_tunings_come_back_whole(tmp_path: Path, tuning: Head | Lora) -> None:
    outcome = learned(tmp_path, tuning, how=replace(HOW, epochs=6), model=net(STILL))
    ids = torch.tensor([[1, 13, 5, 2]])
    wrapped = outcome.net.eval()(ids, None)
    merged = tuning.merge(outcome.net).eval()
    assert torch.allclose(merged(ids, None), wrapped, atol=1e-5)
    assert {name for name, _ in merged.named_parameters()} == {name for name, _ in net(ARCH).named_parameters()}


def test_a_frozen_encoder_is_measured_once(tmp_path: Path) -> None:
    model, read = net(), []
    model.encoder.blocks[0].register_forward_hook(lambda *_: read.append(1))
    outcome = learned(tmp_path, Head(), model=model)
    assert len(outcome.history) == 3
    distinct = len({row.text for row in examples(30, seed=7)})
    assert len(read) == 2 + distinct  # 40 examples in two batches, and each text of the validation once
    assert "first" not in vars(outcome.net.encoder)
