"""What stands on the terminal: figures, counts, cards that take a user's text as it is."""

import json

import pytest

from dragoman.core.show import Show, figure, line_of, many
from dragoman.core.types import Estimate


def test_a_figure_with_its_interval_and_an_exact_one() -> None:
    assert figure(Estimate(0.86149, 0.8421, 0.88, 100)) == "0.861 [0.842, 0.880]"
    assert figure({"value": 90.5, "low": 90.5, "high": 90.5}, digits=1) == "90.5"


def test_counts_are_english() -> None:
    assert [many(count, "row") for count in (0, 1, 2, 1200)] == ["0 rows", "1 row", "2 rows", "1,200 rows"]


def test_a_text_of_a_user_is_no_markup_and_a_last_word_gets_its_sign(capsys: pytest.CaptureFixture[str]) -> None:
    Show().card("title", [("[bold]a[/bold]", "[red]text[/red]"), ("target", "0.9 met"), ("why", "too low: missed")])
    out = capsys.readouterr().out
    assert "[red]text[/red]" in out
    assert "0.9 ✓ met" in out
    assert "too low: missed" in out


def test_with_json_standard_output_holds_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    show = Show(json=True)
    show.card("title", [("a", "b")])
    show.table("title", ("a",), [("b",)])
    show.result({"value": float("nan")})
    assert capsys.readouterr().out == '{"value": null}\n'


def test_titles_and_cells_are_texts(capsys: pytest.CaptureFixture[str]) -> None:
    Show().card("m/q[/foo]", [("na\x1bme", "va\x9blue\u202e")])
    Show().table("[/b]", ["a"], [["\x07"]])
    out = capsys.readouterr().out
    assert "m/q[/foo]" in out and "[/b]" in out
    assert not set(out) & {"\x1b", "\x9b", "\u202e", "\x07"}


def test_a_line_of_json_says_the_same_without_control_characters() -> None:
    value = {"text": "a\x9bb\u202ec\x1b"}
    assert json.loads(line_of(value)) == value
    assert line_of(value).isascii()
