"""Sampling: every value out of range is one message that names it; what does not go together is refused."""

import math

import pytest

from dragoman.core.config import build
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling, schema_of


def test_the_defaults_are_greedy() -> None:
    assert Sampling().temperature == 0 and Sampling().n == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("temperature", 1e-40),
        ("repetition_penalty", 1e-40),
        ("top_k", -1),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("min_p", -0.1),
        ("min_p", 1.5),
        ("typical_p", 0.0),
        ("max_tokens", 0),
        ("min_tokens", -1),
        ("frequency_penalty", 2.1),
        ("presence_penalty", -2.1),
        ("repetition_penalty", 0.0),
        ("n", 0),
        ("n", 129),
        ("logprobs", 21),
        ("beams", 0),
        ("seed", -1),
        ("length_penalty", math.nan),
        ("logit_bias", {1: 101.0}),
        ("logit_bias", {-1: 1.0}),
        ("stop", ("",)),
        ("choices", ("a", "")),
    ],
)
def test_a_value_out_of_range_is_named(name: str, value: object) -> None:
    with pytest.raises(UserError) as told:
        build(Sampling, {name: value})
    assert name in told.value.problem or "empty text" in told.value.problem
    assert "say " in told.value.hint


@pytest.mark.parametrize(
    "given",
    [
        {"regex": "a+", "choices": ("a",)},
        {"beams": 2, "temperature": 1.0},
        {"beams": 2, "n": 3},
        {"n": 2},
        {"min_tokens": 9, "max_tokens": 8},
        {"beams": 2, "regex": "a"},
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(UserError):
        build(Sampling, given)


def test_a_bias_from_the_command_line_is_by_number() -> None:
    assert build(Sampling, {"logit_bias": {"7": -100}}).logit_bias == {7: -100.0}


@pytest.mark.parametrize(
    "given",
    [{"stop": ("a", "\udcff")}, {"choices": ("\ud800",)}, {"regex": "\udcff"}, {"json_schema": '{"a": "\udcff"}'}],
)
def test_half_a_character_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(UserError, match=f"{next(iter(given))} holds half a character") as told:
        build(Sampling, given)
    assert f"{told.value.problem}{told.value.hint}".encode()


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"a": NaN}', '{"a": "\\ud800"}', "[" * 100_000])
def test_a_schema_is_an_object(text: str) -> None:
    with pytest.raises(UserError, match="json_schema") as told:
        schema_of(text)
    assert "say json_schema=" in told.value.hint and told.value.problem.encode()


def test_a_schema_is_read() -> None:
    assert schema_of('{"type": "object"}') == {"type": "object"}
