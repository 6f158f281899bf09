"""Which method a tuning takes: by size, by memory, by what is installed, by wish."""

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.sizes import fresh_arch
from dragoman.stages.tune_plan import Method, choose_method, methods_of, own_words, rows_of
from dragoman.train.doors import How


def method(name: str, fits: bool, memory: int = 10**9) -> Method:
    return Method(name, 1000, memory, 60.0, fits, "" if fits else "needs more")


def test_a_small_model_learns_whole_and_a_large_one_by_thin_matrices() -> None:
    able = [method(name, True) for name in ("full", "lora", "qlora")]
    assert choose_method("auto", able, 10_000_000)[0] == "full"
    assert choose_method("auto", able, 500_000_000)[0] == "lora"
    assert choose_method("prefix", able, 500_000_000) == ("prefix", "it was asked for")


def test_memory_decides() -> None:
    only = [method("full", False), method("lora", False), method("qlora", True)]
    assert choose_method("auto", only, 500_000_000)[0] == "qlora"
    none = [method(name, False, size) for name, size in (("full", 3), ("lora", 2), ("qlora", 1))]
    with pytest.raises(UserError, match="no method fits: qlora needs more"):
        choose_method("auto", none, 500_000_000)


def test_each_method_takes_less_than_the_one_before() -> None:
    arch = fresh_arch("llama", 32_000, 512, width=1024, layers=12)
    full, lora, qlora = methods_of(arch, How(batch=2, max_length=512, device="cpu"), 100_000, 10**12, seconds=0)
    assert full.memory > lora.memory > qlora.memory
    assert full.learnt > 80 * lora.learnt == 80 * qlora.learnt
    assert lora.learnt == 12 * 8 * (4 * 2 * 1024 + 3 * (1024 + arch.feed_forward)), "the gate's thin pair too"
    averaged = full.memory - methods_of(arch, How(batch=2, max_length=512, device="cpu", average=0), 0, 1, 0)[0].memory
    assert averaged == 4 * full.learnt, "the running average stands beside the weights"
    assert full.seconds == 0 and full.fits and lora.fits
    assert not methods_of(arch, How(batch=2, max_length=512, device="cpu"), 100_000, 10**6, seconds=0)[0].fits
    assert [row[0] for row in rows_of([full, lora, qlora])] == ["full", "lora", "qlora"]


def test_the_rank_and_the_places_that_were_given_count() -> None:
    arch = fresh_arch("llama", 32_000, 512, width=1024, layers=12)
    how = How(batch=2, max_length=512, device="cpu")
    (thin,) = [
        one for one in methods_of(arch, how, 1, 10**12, 0, {"rank": 2, "where": ["query"]}) if one.name == "lora"
    ]
    assert thin.learnt == 12 * 2 * 2 * 1024


@pytest.mark.parametrize(
    ("said", "own"),
    [
        ("models.max_length=NUMBER reads more of each", "max_length=NUMBER reads more of each"),
        ("data.columns.label=NAME names another column", "columns.label=NAME names another column"),
        ("choose tuning=lora, or tuning=layers tuning.top=1", "choose method=lora, or method=layers tuning.top=1"),
        ('such as models.candidates=["hf:Qwen/Qwen3-0.6B"]', "such as dragoman tune hf:Qwen/Qwen3-0.6B"),
        ("data.source=PATH names another file", "data=PATH names another file"),
    ],
)
def test_settings_are_named_as_tune_takes_them(said: str, own: str) -> None:
    assert own_words(said) == own
