"""Each number format reaches as far and is as fine as the machine says, and four bits take what the paper says."""

import math

import numpy as np
import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.formats import FORMATS, NF4_LEVELS, bytes_of, format_of, quantised_bits

KNOWN = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp8_e4m3": torch.float8_e4m3fn,
    "fp8_e5m2": torch.float8_e5m2,
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_floating_format_is_the_machines(name: str) -> None:
    told, one = torch.finfo(KNOWN[name]), format_of(name)
    assert one.largest == told.max
    assert one.smallest == told.smallest_normal
    assert one.epsilon == told.eps
    assert one.bits == told.bits == one.stored


@pytest.mark.parametrize("name", ["int8"])
def test_whole_numbers(name: str) -> None:
    one = format_of(name)
    assert one.largest == np.iinfo(np.int8).max
    assert one.bits == 8
    assert (one.smallest, one.epsilon) == (1, 1)


def test_tf32_has_the_reach_of_fp32_and_the_digits_of_fp16() -> None:
    assert format_of("tf32").smallest == format_of("fp32").smallest
    assert format_of("tf32").epsilon == format_of("fp16").epsilon
    assert format_of("tf32").bits == 19
    assert bytes_of("tf32") == 4


def test_four_bits_take_four_and_a_half_and_twice_quantised_less() -> None:
    assert quantised_bits(4, double=False) == 4.5
    assert quantised_bits(4) == pytest.approx(4.127, abs=1e-3)
    # QLoRA's base of 6.74 billion weights (Dettmers et al. 2023): 3.24 GiB, 3.53 without the second quantisation
    assert 6.74e9 * bytes_of("nf4") / 2**30 == pytest.approx(3.24, abs=0.01)
    assert 6.74e9 * quantised_bits(4, double=False) / 8 / 2**30 == pytest.approx(3.53, abs=0.01)


def test_the_levels_of_nf4_are_quantiles_of_the_normal_distribution() -> None:
    """As published: 8 levels above zero and 7 below, evenly spaced in probability up to .9677083."""

    def quantiles(count: int) -> list[float]:
        shares = torch.linspace(0.9677083, 0.5, count + 1, dtype=torch.float64)[:-1]
        found: list[float] = (math.sqrt(2) * torch.erfinv(2 * shares - 1)).tolist()
        return found

    expected = sorted([*quantiles(8), 0.0, *(-level for level in quantiles(7))])
    largest = max(expected)
    assert [level / largest for level in expected] == pytest.approx(list(NF4_LEVELS), abs=1e-6)


def test_every_format_says_what_it_is_for() -> None:
    assert all(one.use and one.largest > 0 and one.epsilon > 0 for one in FORMATS)
    assert len({one.name for one in FORMATS}) == len(FORMATS)


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(UserError) as told:
        format_of("bfloat16")
    assert "bf16" in told.value.hint
