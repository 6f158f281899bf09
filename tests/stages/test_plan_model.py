"""The plan of one model: told in bytes a person can add up, and asked for by any of its names."""

from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.footprint import count
from dragoman.nn.store import family_of, read_arch
from dragoman.stages.plan_model import Setup, arch_of, read_count
from tests.command import dragoman


@pytest.mark.parametrize(
    ("text", "number"), [("", 0), ("300M", 300_000_000), ("1.5b", 1_500_000_000), ("8k", 8000), ("1,000", 1000)]
)
def test_counts(text: str, number: int) -> None:
    assert read_count(text, "tokens") == number


@pytest.mark.parametrize("text", ["many", "-3M", "3 M", "1e9"])
def test_what_is_no_count(text: str) -> None:
    with pytest.raises(UserError, match="tokens cannot be"):
        read_count(text, "tokens")


def test_a_model_by_its_published_size_and_by_its_folder(tiny_model: Path) -> None:
    assert arch_of("gpt2/small", Setup()) == family_of("gpt2").presets["small"]
    assert arch_of(str(tiny_model), Setup()) == read_arch(tiny_model)


def test_a_model_by_the_number_of_its_parameters() -> None:
    arch = arch_of("15M", Setup(vocabulary=4096, length=256))
    assert count(arch).total == pytest.approx(15e6, rel=0.1)
    assert arch.vocabulary == 4096


def test_a_size_that_is_none_names_those_there_are() -> None:
    with pytest.raises(UserError) as told:
        arch_of("gpt2/smal", Setup())
    assert "did you mean 'small'" in told.value.hint


def test_the_plan_of_a_model_without_a_measurement() -> None:
    words = ("plan", "model=gpt2/small", "batch=4", "length=256", "tokens=1M", "seconds=0")
    said = dragoman(*words, "--json")
    assert said.code == 0
    facts = said.json
    assert facts["parameters"]["total"] == 124_439_808
    assert facts["steps"] == -(-1_000_000 // 1024)
    assert facts["machine"] is None
    for memory in facts["memory"].values():
        assert memory["total"] == sum(value for name, value in memory.items() if name != "total")
    order = ["full", "lora", "qlora", "inference bf16", "inference nf4"]
    totals = [facts["memory"][name]["total"] for name in order]
    assert totals == sorted(totals, reverse=True)
    shown = dragoman(*words).whole
    assert "█" in shown
    assert "optimizer" in shown
    assert "124,439,808" in shown


def test_time_energy_and_price_of_a_measured_machine() -> None:
    words = ("model=bert/tiny", "batch=2", "length=32", "tokens=100k", "seconds=0.01", "device=cpu")
    prices = ("watts=100", "price_kwh=0.5", "price_hour=2")
    facts = dragoman("plan", *words, *prices, "--json").json
    seconds = facts["training"]["full"]["seconds"]
    assert seconds > 0
    assert facts["energy_kwh"] == pytest.approx(100 * seconds / 3.6e6)
    assert facts["price"] == pytest.approx(facts["energy_kwh"] * 0.5 + seconds / 3600 * 2)
    assert facts["machine"]["bf16"] > 0


def test_the_formats_are_told() -> None:
    said = dragoman("plan", "--formats")
    assert said.code == 0
    assert "1 + 8 + 7" in said.whole
    assert {one["name"] for one in dragoman("plan", "--formats", "--json").json["formats"]} >= {"bf16", "nf4"}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("model=gpt2/small", "length=2048", "seconds=0"), "positions for 1024"),
        (("model=gpt2/small", "batch=0"), "batch cannot be 0"),
        (("model=gpt2/small", "utilisation=2"), "utilisation cannot be 2"),
        (("model=nowhere",), "there is no model 'nowhere'"),
        (("model=gpt2/small", "train.epochs=3"), "train.epochs"),
        (("model=gpt2/small", "optimizer=sgd"), "optimizer cannot be 'sgd'"),
    ],
)
def test_a_mistake_is_one_message(words: tuple[str, ...], problem: str) -> None:
    said = dragoman("plan", *words)
    assert said.code == 2
    assert problem in said.whole
