"""Each proof holds as things are, and none of them would hold if what it proves were not so."""

import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.stages.proofs import checkpoints, nan, order, resume
from dragoman.stages.proofs.faults import FAULTS, swap
from dragoman.stages.proofs.nursery import Job, nursery
from dragoman.stages.proofs.proof import Case, Proof, differing
from dragoman.stages.verify import LIMITS, Settings
from dragoman.train import checkpoint, loop
from tests.command import dragoman

CLM, BF16 = "clm, adamw, fp32", "clm, muon, bf16"


def quiet(done: float, text: str = "") -> None:
    assert 0 <= done <= 1


def failed(proof: Proof) -> list[str]:
    return [f"{case.name}: {case.said}" for case in proof.cases if not case.held]


def test_nan_is_found_in_every_place(tmp_path: Path) -> None:
    """T06, with the copy of the net that computes in bf16."""
    proof = nan.prove(0, tmp_path, quiet, (BF16,))
    assert not failed(proof)
    assert len(proof.cases) == 10
    assert proof.held


def test_a_loop_that_does_not_look_would_be_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "check_finite", lambda *given: None)
    monkeypatch.setattr(checkpoint, "check_weights", lambda *given: None)
    proof = nan.prove(0, tmp_path, quiet, (CLM,))
    assert not proof.held
    assert sum("it was not noticed" in text for text in failed(proof)) == 6


def test_a_damaged_state_is_found_whatever_was_done_to_it(tmp_path: Path) -> None:
    """T05: the faults that no size gives away. The rest are told apart in tests/laws/test_training_language.py."""
    chosen = {name: FAULTS[name] for name in ("one bit flipped", "two tensors swapped")}
    proof = checkpoints.prove(0, tmp_path, quiet, (CLM,), chosen)
    assert not failed(proof)
    assert len(proof.cases) == 9 * 2
    assert {case.name.split()[3] for case in proof.cases} >= {
        "step-000008/optimizer.safetensors",
        "step-000008/state.json",
        "best-000008/weights.safetensors",
    }


def test_states_that_nobody_checks_would_be_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "problems", lambda folder: [])
    proof = checkpoints.prove(0, tmp_path, quiet, (CLM,), {"two tensors swapped": only_weights})
    assert not proof.held
    assert any("weights" in text and "not the same" in text for text in failed(proof))


def only_weights(path: Path) -> None:
    """Swap tensors, where there are any that a training can go on with."""
    if path.name == "weights.safetensors":
        swap(path)


def test_a_killed_training_is_compared_with_one_left_alone(tmp_path: Path) -> None:
    proof = resume.prove(1, 0, tmp_path, quiet)
    assert not failed(proof)
    assert [(case.name, case.times) for case in proof.cases] == [(CLM, 1)]


def test_where_nothing_may_be_forked_a_child_is_a_process_of_its_own(tmp_path: Path) -> None:
    with nursery(fork=False) as raising:
        os.kill(raising.start(Job(CLM, str(tmp_path / "run"))), signal.SIGKILL)
        assert raising.ended() == -signal.SIGKILL
    assert not (tmp_path / "run.json").exists()


def test_another_training_would_not_pass_for_the_same(tmp_path: Path) -> None:
    with nursery() as raising:
        one = raising.finished(Job(CLM, str(tmp_path / "one"), 0, {"steps": 4}))
        same = raising.finished(Job(CLM, str(tmp_path / "same"), 0, {"steps": 4}))
        other = raising.finished(Job(CLM, str(tmp_path / "other"), 0, {"steps": 4, "momentum": 0.9, "beta2": 0.99}))
        with pytest.raises(RuntimeError, match="ended with 1 without being killed"):
            raising.finished(Job(CLM, str(tmp_path / "wrong"), 0, {"steps": -1}))
        orders, chains = order._orders(raising, CLM, tmp_path / "orders", 0, random.Random(0))
    assert differing(one.bits, same.bits) == ""
    assert differing(one.bits, other.bits) == "best, weights, optimizer, average, losses not the same"
    assert one.damaged == 0
    ways = list(orders)
    assert ways[:3] == ["batches whole", "batches in 2 parts", "batches in 4 parts"]
    assert ways[3].startswith("killed ")
    assert len(set(chains.values())) == 1
    assert all(order.chain(found) == chains[way] for way, found in orders.items())


def test_an_order_is_read_over_all_lives(tmp_path: Path) -> None:
    lines = [[1, "a", "b"], [2, "c", "d"], [2, "c", "d"], [3, "e"]]
    path = tmp_path / "order"
    path.write_text("\n".join(map(json.dumps, lines)) + '\n[4, "f')
    assert order.learnt(path) == {1: ["a", "b"], 2: ["c", "d"], 3: ["e"]}
    path.write_text(json.dumps([1, "a"]) + "\n" + json.dumps([1, "b"]) + "\n")
    with pytest.raises(ValueError, match="step 1 was done again with other examples"):
        order.learnt(path)


def test_an_order_that_is_another_is_told() -> None:
    whole = {1: ["a", "b"], 2: ["c"]}
    ends = order.chain(whole)
    assert order._judged(whole, ends, whole, ends)[0]
    assert order._judged({1: ["a", "b"], 2: ["d"]}, ends, whole, ends) == (
        False,
        1,
        "step 2 learnt from other examples",
    )
    assert order._judged({1: ["a", "b"]}, ends, whole, ends) == (False, 1, "step 2 learnt from other examples")
    assert not order._judged(whole, "0" * 64, whole, "0" * 64)[0]
    assert order._listed(whole, 2) == ["step 1: a, b"]
    assert order._listed(whole, 3) == ["step 1: a, b", "step 2: c"]


def test_a_proof_without_cases_proves_nothing() -> None:
    assert not Proof("x", "", "", "", ()).held
    assert Proof("x", "", "", "", (Case("a", True, 2), Case("b", True))).times == 3
    assert not Proof("x", "", "", "", (Case("a", True), Case("b", False))).held


def given(held: bool, place: list[Path]) -> Any:
    """A proof as verify asks for one."""

    def prove(seed: int, folder: Path, tick: Any) -> Proof:
        place.append(folder)
        return Proof(
            "nan", "It was done.", "once", "all", (Case("loss", held, 1, "" if held else "unseen"),), ("a remark",)
        )

    return prove


@pytest.mark.parametrize("held", [True, False])
def test_the_card_and_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bool) -> None:
    place: list[Path] = []
    monkeypatch.setattr(nan, "prove", given(held, place))
    said = dragoman("verify", "nan", f"folder={tmp_path}")
    assert said.code == (0 if held else 1)
    assert "It was done." in said.whole
    assert "a remark" in said.whole
    assert ("1 of 1 cases held ✓ met" if held else "0 of 1 cases held ✗ missed") in said.whole
    assert ("loss: unseen" in said.whole) is not held
    assert LIMITS[0].split(":")[0] in said.whole
    assert place[0].is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []  # nothing is left
    told = dragoman("verify", "nan", "--json")
    assert told.code == said.code
    assert told.json["held"] is held
    assert told.json["proofs"]["nan"]["cases"] == [
        {"name": "loss", "held": held, "times": 1, "said": "" if held else "unseen"}
    ]


def test_all_of_them_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []
    monkeypatch.setattr(nan, "prove", given(True, seen))
    monkeypatch.setattr(checkpoints, "prove", given(True, seen))
    monkeypatch.setattr(resume, "prove", lambda kills, seed, folder, tick: given(kills == 7, seen)(seed, folder, tick))
    monkeypatch.setattr(order, "prove", lambda show, seed, folder, tick: given(show == 3, seen)(seed, folder, tick))
    assert dragoman("verify", "kills=7", "show=3").code == 0
    assert [path.name for path in seen] == ["resume", "checkpoints", "nan", "order"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("everything",), "name cannot be 'everything'"),
        (("kills=0",), "kills cannot be 0"),
        (("show=-1",), "show cannot be -1"),
        (("seed=-1",), "seed cannot be -1"),
        (("folder=nowhere",), "nowhere is no folder"),
    ],
)
def test_a_mistake_is_answered_before_the_work(words: tuple[str, ...], said: str) -> None:
    told = dragoman("verify", *words)
    assert told.code == 2
    assert said in told.err


def test_its_settings_stand_alone() -> None:
    assert Settings() == Settings("all", 20, 0, 0, "")
    with pytest.raises(UserError):
        Settings(kills=10**9)
