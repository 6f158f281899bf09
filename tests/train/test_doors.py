"""The settings of training are checked without torch, and their mistakes are named."""

import subprocess
import sys

import pytest

from dragoman.core.config import build, describe
from dragoman.core.errors import UserError
from dragoman.train.doors import OBJECTIVES, TUNINGS, How, settle
from dragoman.train.tuning.head import Head


def test_the_registries_know_their_files() -> None:
    written = ("distill_text", "multitask", "seq2seq", "sft")
    aligned = ("dpo", "grpo", "kto", "orpo", "ppo", "reward", "rloo")
    assert set(OBJECTIVES.names()) == {"classify", "clm", "extract", "mlm", "span", "tag", *written, *aligned}
    thin = {"adapter", "bitfit", "dora", "ia3", "lora", "prefix", "qlora", "soft_prompt"}
    assert set(TUNINGS.names()) == {"full", "head", "layers", "scratch", *thin}


def test_settings_are_answered_without_torch() -> None:
    code = """
import sys
from dragoman.core.errors import UserError
from dragoman.train.doors import OBJECTIVES, TUNINGS, How
from dragoman.core.config import build
from dragoman.train import stopping
for name in TUNINGS.names(): TUNINGS.make(name, {})
for name in OBJECTIVES.names(): OBJECTIVES.make(name, {})
build(How, {"batch": 4}, "train")
for wrong in ({"rank": 0}, {"rnak": 1}, {"where": "x", "dropout": 2.0}):
    try: TUNINGS.make("lora", wrong)
    except UserError as error: print(error)
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "there is no setting named 'tuning.rnak'" in done.stdout


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"batch": 0}, "train.batch"),
        ({"rate": -1.0}, "train.rate"),
        ({"rate": float("nan")}, "train.rate"),
        ({"epochs": float("inf")}, "train.epochs"),
        ({"warmup": 1.0}, "train.warmup"),
        ({"every": 0.0}, "train.every"),
        ({"batch": 2, "accumulation": 3}, "cut into 3 parts"),
        ({"schedule": "cosin"}, "train.schedule"),
        ({"precision": "fp16"}, "train.precision"),
        ({"bacth": 3}, "train.bacth"),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(UserError) as caught:
        build(How, wrong, "train")
    assert named in caught.value.problem
    assert caught.value.hint


def test_every_setting_has_help() -> None:
    kinds = [How, *(TUNINGS.kind(name) for name in TUNINGS.names()), OBJECTIVES.kind("classify")]
    assert not [(kind.__name__, setting.name) for kind in kinds for setting in describe(kind) if not setting.help]


def test_the_tuning_fills_in_what_was_not_given() -> None:
    assert settle(How(), Head()).rate == Head.rate
    assert settle(How(), Head()).epochs == Head.epochs
    assert settle(How(rate=0.5, epochs=2), Head()).rate == 0.5
    assert settle(How(rate=0.5, epochs=2), Head()).epochs == 2
