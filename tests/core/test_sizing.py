"""Amounts with units are read both ways, and the memory of a training run is arithmetic one can check by hand."""

import os
from dataclasses import replace

import pytest

from dragoman.core.errors import UserError
from dragoman.core.sizing import (
    Memory,
    Shape,
    free_memory,
    parse_bytes,
    parse_seconds,
    peak_memory,
    reset_peak_memory,
    show_bytes,
    show_seconds,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("8 GiB", 8 * 2**30),
        ("8gib", 8 * 2**30),
        ("8 GB", 8 * 10**9),
        ("1.5 MiB", 3 * 2**19),
        (" 300 kB ", 300_000),
        ("1 TiB", 2**40),
        ("12 B", 12),
    ],
)
def test_bytes(text: str, number: int) -> None:
    assert parse_bytes(text, "here") == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("15 min", 900),
        ("1.5 h", 5400),
        ("90 s", 90),
        ("2 hours", 7200),
        ("3 minutes", 180),
        ("1 day", 86400),
        ("20sec", 20),
    ],
)
def test_seconds(text: str, number: float) -> None:
    assert parse_seconds(text, "here") == number


@pytest.mark.parametrize(
    "text", ["", "8", "GiB", "-8 GiB", "0 GiB", "8 GiB 3 MiB", "8,5 GiB", "nan GiB", "1e3 MB", "8 Gib/s"]
)
def test_what_is_no_amount_names_the_setting_and_shows_one(text: str) -> None:
    with pytest.raises(UserError) as told:
        parse_bytes(text, "scope.budget.memory")
    assert told.value.problem == f'scope.budget.memory cannot be "{text}"'
    assert 'scope.budget.memory="8 GiB"' in told.value.hint


@pytest.mark.parametrize("text", ["", "15", "min", "-1 h", "0 s", "1 ms", "15 min 3 s", "1 fortnight", "1:30"])
def test_what_is_no_time_names_the_setting_and_shows_one(text: str) -> None:
    with pytest.raises(UserError) as told:
        parse_seconds(text, "scope.budget.time")
    assert told.value.problem == f'scope.budget.time cannot be "{text}"'
    assert 'scope.budget.time="15 min"' in told.value.hint


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (310 * 2**20, "310 MiB"),
        (1.4 * 2**30, "1.4 GiB"),
        (2**41, "2048.0 GiB"),
    ],
)
def test_bytes_for_people(number: float, text: str) -> None:
    assert show_bytes(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (255_600, "71 h 0 min"),
        (3 * 86400, "3 days"),
        (83_186_580, "963 days"),
    ],
)
def test_time_for_people(seconds: float, text: str) -> None:
    assert show_seconds(seconds) == text


SMALL = Shape(body=10_000_000, embeddings=12_000_000, width=384, feed_forward=1536, heads=12, layers=6)


def test_the_memory_of_a_full_training_step_by_hand() -> None:
    memory = Memory.of_training(SMALL, learnt=22_000_000, batch=32, length=128, layers=6, half=False)
    assert memory.weights == 22_000_000 * 4
    assert memory.gradients == 22_000_000 * 4
    assert memory.optimizer == 22_000_000 * 8, "AdamW keeps two float32 numbers for each weight"
    assert memory.activations == pytest.approx(6 * 32 * 128 * 384 * 64.25 * 2, rel=0.01), (
        "measured: 64.25 bytes in half"
    )
    assert memory.total == memory.weights + memory.gradients + memory.optimizer + memory.activations


def test_what_does_not_learn_costs_neither_gradient_nor_optimizer() -> None:
    full = Memory.of_training(SMALL, learnt=22_000_000, batch=32, length=128, layers=6, half=False)
    lora = Memory.of_training(SMALL, learnt=100_000, batch=32, length=128, layers=6, half=False)
    head = Memory.of_training(SMALL, learnt=0, batch=32, length=128, layers=0, half=False)
    assert lora.weights == full.weights == head.weights
    assert lora.activations == full.activations, "the gradient still runs back through every layer"
    assert head.total == head.weights
    assert head.total < lora.total < full.total


def test_activations_grow_with_each_of_their_factors() -> None:
    def activations(**changed: int) -> int:
        given = {"batch": 8, "length": 64, "layers": 3} | changed
        return Memory.of_training(SMALL, 0, given["batch"], given["length"], given["layers"], half=True).activations

    assert activations(batch=16) == activations(length=128) == activations(layers=6) == 2 * activations()
    wider = replace(SMALL, width=768, feed_forward=3072)
    assert Memory.of_training(wider, 0, 8, 64, 3, half=True).activations == 2 * activations()


def test_half_precision_halves_the_activations_and_copies_the_matrices() -> None:
    full = Memory.of_training(SMALL, 1000, 8, 64, 6, half=False)
    half = Memory.of_training(SMALL, 1000, 8, 64, 6, half=True)
    assert half.activations * 2 == full.activations
    assert half.weights - full.weights == SMALL.body * 2, (
        "embeddings are looked up, not multiplied: they are not copied"
    )


def test_the_peak_is_that_since_the_last_reset() -> None:
    before = peak_memory()
    block = bytearray(200 * 2**20)
    block[:: 2**12] = b"x" * len(block[:: 2**12])
    assert peak_memory() >= before
    assert peak_memory() >= 200 * 2**20
    del block
    reset_peak_memory()
    assert peak_memory() > 0


def test_free_memory_is_part_of_what_there_is() -> None:
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < free_memory() <= whole
