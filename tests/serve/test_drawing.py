"""How tokens are drawn, as it is asked for: out of range is named, nothing said is as it was judged."""

from dataclasses import replace
from typing import Any

import pytest

from dragoman.core.sampling import Sampling
from dragoman.serve.drawing import Drawn, drawn, shaped
from dragoman.serve.fields import Fields
from dragoman.serve.limits import Limits
from dragoman.serve.refused import Refused

JUDGED = Sampling(temperature=0.7, max_tokens=50, seed=7, stop=("END",))


def read(body: dict[str, Any], judged: Sampling = JUDGED, logprobs: int = -1) -> Drawn:
    fields = Fields(body)
    found = drawn(fields, judged, Limits(), logprobs)
    fields.done()
    return found


def test_nothing_said_is_as_it_was_judged() -> None:
    assert read({}) == Drawn(JUDGED, True, False, 0, False, False)
    assert read({"temperature": 0.7, "max_tokens": 50, "n": 1, "top_p": None}).as_judged
    for change in ({"temperature": 0.6}, {"max_tokens": 49}, {"stop": "X"}, {"seed": 8}, {"n": 2}, {"min_p": 0.1}):
        assert not read(change).as_judged


def test_another_temperature_without_a_seed_is_drawn_anew() -> None:
    assert read({"top_k": 5}).how.seed == 7
    assert len({read({"temperature": 1}).how.seed for _ in range(8)}) == 8
    assert read({"temperature": 1, "seed": 3}).how.seed == 3
    assert read({"seed": -1}).how.seed == 2**63 - 1


def test_alternatives_are_told_as_many_as_were_asked_for() -> None:
    assert (read({}, logprobs=0).top, read({}, logprobs=0).how.logprobs) == (0, 1)
    assert (read({}, logprobs=5).top, read({}, logprobs=5).how.logprobs) == (5, 5)
    assert read({}, logprobs=0).logprobs


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert read({"max_tokens": 5.0}).how.max_tokens == 5


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"temperature": 0.001}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"typical_p": 0.0}, "typical_p"),
        ({"max_tokens": 1e300}, "max_tokens"),
        ({"max_tokens": 10**6}, "max_tokens"),
        ({"min_tokens": 51}, "min_tokens"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"seed": 2**63}, "seed"),
        ({"n": 17}, "n"),
        ({"regex": "a", "choices": "b"}, "regex"),
        ({"choices": ["x" * 4096] * 5}, "choices"),
        ({"stream": True, "stream_options": {"usage": True}}, "stream_options.usage"),
        ({"logit_bias": []}, "logit_bias"),
    ],
    ids=str,
)
def test_what_is_out_of_range_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(Refused) as refused:
        read(body)
    assert refused.value.status in (400, 413)
    assert refused.value.param == param


def test_one_shape_at_a_time() -> None:
    assert shaped(JUDGED, {"type": "object"}).json_schema
    for how, schema in ((replace(JUDGED, regex="a"), {}), (JUDGED, {"x": "y" * 70_000})):
        with pytest.raises(Refused, match=r"shape|schema"):
            shaped(how, schema)
