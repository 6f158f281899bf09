"""Figures are written with few digits, a unit, and on their own side of a bound."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from dragoman.report.numbers import (
    amount,
    binary,
    brief,
    compact,
    comparison,
    duration,
    memory,
    milliseconds,
    probability,
    quality,
    ratio,
    round_duration,
    signed,
    spread,
    tiny,
    whole,
)
from dragoman.report.record import Figure


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (whole(6012), "6,012"),
        (whole(None), "–"),
        (quality(0.61249), "0.612"),
        (quality(-0.0001), "0.000"),
        (signed(0.0814), "+0.081"),
        (signed(-0.0121), "−0.012"),
        (signed(-0.0001), "±0.000"),
        (signed(None), "–"),
        (duration(0), "0 s"),
        (duration(0.0042), "4.2 ms"),
        (duration(0.042), "42 ms"),
        (duration(0.42), "0.42 s"),
        (duration(12.34), "12.3 s"),
        (duration(59.97), "1 min 00 s"),
        (duration(252), "4 min 12 s"),
        (duration(3599.7), "1 h 00 min"),
        (duration(3900), "1 h 05 min"),
        (duration(-1), "–"),
        (duration(None), "–"),
        (round_duration(0.1), "0.1 s"),
        (round_duration(600), "10 min"),
        (round_duration(36000), "10 h"),
        (round_duration(8640000), "100 d"),
        (memory(9.314), "9.31 MB"),
        (memory(9.996), "10.0 MB"),
        (memory(87.32), "87.3 MB"),
        (memory(1234.4), "1,234 MB"),
        (memory(12345), "12.3 GB"),
        (milliseconds(3.214), "3.21 ms"),
        (binary(312), "312 B"),
        (binary(9530), "9.31 KiB"),
        (binary(1.25 * 2**30), "1.25 GiB"),
        (binary(1023.9 * 2**20), "1.00 GiB"),
        (binary(80 * 2**40), "80.0 TiB"),
        (binary(None), "–"),
        (compact(12345), "12,345"),
        (compact(7_812_345), "7.81 M"),
        (compact(124e6), "124 M"),
        (compact(999_600), "1.00 M"),
        (compact(1.2e9), "1.20 B"),
        (compact(2.5e12), "2.50 T"),
        (compact(None), "–"),
        (brief(0.0003), "0.0003"),
        (brief(3e-6), "3e−6"),
        (brief(-0.25), "−0.25"),
        (brief(8), "8"),
        (brief(16384), "16,384"),
        (brief(2e15), "2.00e15"),
        (compact(4.9e15), "4.90e15"),
        (whole(-4.9e15), "−4.90e15"),
        (brief(None), "–"),
        (probability(0.00002), "< 0.001"),
        (probability(0.0481), "0.048"),
        (ratio(1.1163), "1.12×"),
        (tiny(0), "0"),
        (tiny(3.1e-7), "3.1e−07"),
        (tiny(0.0021), "0.0021"),
        (comparison(">= 0.60"), "≥ 0.60"),
        (comparison("<= 50"), "≤ 50"),
        (comparison("< 50"), "< 50"),
        (amount("size_mb", 92.44), "92.4 MB"),
        (amount("p95_ms", 14.42), "14.4 ms"),
        (amount("train_seconds", 184.2), "184 s"),
        (amount("perplexity", 1234.5), "1,234"),
        (amount("drift", 0.00042), "0.00042"),
        (amount("f1", None), "–"),
    ],
)
def test_written(written: str, expected: str) -> None:
    assert written == expected


def test_a_value_that_misses_is_not_rounded_onto_the_bound() -> None:
    assert amount("macro_f1", 0.59996, 0.6) == "0.59996"
    assert amount("macro_f1", 0.6, 0.6) == "0.600"
    assert amount("p95_ms", 50.02, 50.0) == "50.02 ms"
    assert spread("f1", Figure(0.65, 0.5999, 0.7), 0.6) == "0.6500 [0.5999, 0.7000]"


@settings(derandomize=True, deadline=None)
@given(some.floats(0, 1), some.floats(0, 1))
def test_what_is_shown_stands_on_its_side_of_the_bound(value: float, bound: float) -> None:
    value, bound = round(value, 7), round(bound, 2)
    shown = float(amount("f1", value, bound).replace("−", "-"))
    assert (shown >= bound) == (value >= bound)
    assert (shown <= bound) == (value <= bound)


def test_an_interval_shares_its_digits_and_is_left_out_where_there_is_none() -> None:
    assert spread("f1", Figure(0.6124, 0.5, 0.7)) == "0.612 [0.500, 0.700]"
    assert spread("size_mb", Figure(92.4, 92.4, 92.4)) == "92.4 MB"
    assert spread("f1", Figure(0.6, None, 0.7)) == "0.600"
    assert spread("", Figure(0.081, -0.052, 0.11), sign=True) == "+0.081 [−0.052, +0.110]"
    assert spread("f1", None) == "–"
