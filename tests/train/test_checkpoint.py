"""What is saved is all that a run is made of, and it goes back only where it belongs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.train import checkpoint
from dragoman.train.doors import Encoded, Tuning
from dragoman.train.tuning.full import Full
from dragoman.train.tuning.head import Head
from dragoman.train.tuning.layers import Layers
from dragoman.train.tuning.lora import Lora
from tests.train.small import HOW, begun, bits, examples, net, steps


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("tuning", [Full(), Head(), Layers(top=2, gradual=0.5), Lora(rank=2, dropout=0.1)])
def test_a_restored_run_ends_with_the_same_bits(tmp_path: Path, tuning: Tuning, precision: str) -> None:
    how = replace(HOW, precision=precision)  # type: ignore[arg-type]
    whole, heard = begun(tuning, how), list[str]()
    losses = [step.loss for step in steps(whole)]
    parted = begun(tuning, how)
    before = [step.loss for step in steps(parted, 6)]
    path = checkpoint.save(tmp_path, parted, {"best": 0.25})
    torch.manual_seed(99)  # another process has other random numbers
    again = begun(tuning, how)
    assert checkpoint.newest(tmp_path, heard.append) == path
    checkpoint.restore(path, again, heard.append)
    assert before + [step.loss for step in steps(again)] == losses
    assert bits(again) == bits(whole)
    assert again.chain == whole.chain
    assert heard == []
    assert checkpoint.read_notes(path) == {"best": 0.25}


def test_it_holds_safetensors_and_json_alone(tmp_path: Path) -> None:
    training = begun()
    steps(training, 2)
    path = checkpoint.save(tmp_path, training, {})
    assert path.name == "step-000002"
    names = sorted(file.name for file in path.iterdir())
    assert names == [
        "average.safetensors",
        "manifest.json",
        "optimizer.safetensors",
        "random.safetensors",
        "state.json",
        "weights.safetensors",
    ]
    assert load_file(path / "weights.safetensors").keys() == training.weights.keys()
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o644}
    size = sum(file.stat().st_size for file in path.iterdir())
    assert size < checkpoint.bytes_needed(training) + 20_000


def test_what_is_learnt_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    digest = Encoded.digest
    monkeypatch.setattr(Encoded, "digest", lambda encoded: counted.append(1) or digest(encoded))
    training = begun()
    for _ in range(3):
        steps(training, 1)
        checkpoint.save(tmp_path, training, {})
    assert len(counted) == 1
    assert checkpoint.identity(training)["examples"] == digest(training.encoded)  # type: ignore[arg-type]


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    training = begun()
    for _ in range(4):
        steps(training, 2)
        checkpoint.save(tmp_path, training, {})
    assert [step for step, _ in durable.versions(tmp_path, "step")] == [6, 8]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"how": replace(HOW, rate=0.5)}, "train.rate was 0.01 and is 0.5"),
        ({"how": replace(HOW, seed=3)}, "train.seed was 0 and is 3"),
        ({"how": replace(HOW, precision="bf16")}, "train.precision was fp32 and is bf16"),
        ({"rows": examples(41)}, "examples was"),
        ({"rows": [replace(row, answers=("animal",)) for row in examples()]}, "examples was"),
        ({"model": net(seed=5)}, "weights was"),
        ({"tuning": Full(layer_decay=0.5)}, "tuning.layer_decay was 1.0 and is 0.5"),
        ({"tuning": Head()}, "tuning.name was full and is head"),
    ],
)
def test_drift_is_refused_with_the_difference(tmp_path: Path, change: dict[str, object], said: str) -> None:
    training = begun()
    steps(training, 1)
    path = checkpoint.save(tmp_path, training, {})
    with pytest.raises(UserError) as caught:
        checkpoint.restore(path, begun(**change), lambda _: None)  # type: ignore[arg-type]
    assert said in caught.value.problem
    assert str(tmp_path) in caught.value.hint


def test_how_often_to_save_may_change(tmp_path: Path) -> None:
    training = begun()
    steps(training, 1)
    path = checkpoint.save(tmp_path, training, {})
    checkpoint.restore(path, begun(how=replace(HOW, save_seconds=1.0)), pytest.fail)


def test_another_machine_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training, heard = begun(), list[str]()
    steps(training, 1)
    path = checkpoint.save(tmp_path, training, {})
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    checkpoint.restore(path, begun(), heard.append)
    assert "threads was" in heard[0]
    assert "bits do not" in heard[0]


def test_the_best_weights_alone(tmp_path: Path) -> None:
    training = begun(Lora(rank=2))
    steps(training, 2)
    best = {name: weight.detach().clone() for name, weight in training.weights.items()}
    path = checkpoint.save_weights(tmp_path / "best-000002", training, {"accuracy": 0.5})
    steps(training, 2)
    checkpoint.load_weights(path, training)
    assert all(torch.equal(weight, best[name]) for name, weight in training.weights.items())
    assert json.loads((path / "notes.json").read_text()) == {"accuracy": 0.5}
    with pytest.raises(UserError, match="does not fit this model"):
        checkpoint.load_weights(path, begun(Lora(rank=4)))
    with pytest.raises(UserError, match="does not fit this model"):
        checkpoint.load_weights(path, begun())


def test_a_weight_that_is_not_finite_is_never_published(tmp_path: Path) -> None:
    training = begun()
    steps(training, 2)
    checkpoint.save(tmp_path, training, {})
    training.net.encoder.blocks[0].attention.key.bias.data[1] = float("nan")  # type: ignore[union-attr]
    with pytest.raises(UserError, match=r"blocks\.0\.attention\.key\.bias is not finite"):
        checkpoint.save(tmp_path, training, {})
    with pytest.raises(UserError, match="not finite"):
        checkpoint.save_weights(tmp_path / "best-000002", training, {})
    assert [step for step, _ in durable.versions(tmp_path, "step")] == [2]
