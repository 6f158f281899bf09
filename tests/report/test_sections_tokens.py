"""The section that shows what is learnt of real rows: every kind in words, long rows cut, foreign text escaped."""

from typing import Any

from dragoman.report.page import render
from dragoman.report.sections.tokens import view
from tests.report.sample import learnt_tokens


def test_each_kind_is_counted_in_words() -> None:
    shown: Any = view({"tokens": learnt_tokens()})
    counts = shown["rows"][0]["counts"]
    assert counts == "2 read, 2 written by the template, 2 learnt, 1 the stop, learnt too, 2 cut away"
    page = render({"name": "x", "verdict": "none", "tokens": learnt_tokens()})
    assert '<span class="token stop">&lt;|end|&gt;</span>' in page
    assert '<span class="token cut">older</span>' in page
    assert "&lt;me&gt;⏎\n" in page


def test_a_long_row_shows_its_beginning_and_its_answer() -> None:
    row = {"place": "p", "pieces": [str(number) for number in range(1000)], "kinds": ["read"] * 999 + ["stop"]}
    shown: Any = view({"tokens": [row]})["rows"][0]  # type: ignore[index]
    assert shown["left"] == "520 tokens"
    assert (shown["begin"][0]["text"], shown["begin"][-1]["text"], shown["end"][-1]["kind"]) == ("0", "159", "stop")


def test_what_cannot_be_read_is_no_row() -> None:
    for row in ({}, {"pieces": ["a"], "kinds": []}, {"pieces": ["a"], "kinds": ["odd"]}, {"pieces": "a", "kinds": "b"}):
        assert view({"tokens": [row]}) is None
