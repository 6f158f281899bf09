"""What stands on the terminal: figures, counts, cards that take a user's text as it is."""

import io
import json

import pytest
from rich.console import Console

from dragoman.core.show import Board, Show, figure, line_of, many
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


def drawn(board: Board, width: int) -> list[str]:
    """The lines of a board on a terminal of that width."""
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(board.draw())
    return str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_long_line_of_a_running_step_stands_below_and_never_wraps(width: int) -> None:
    board = Board("pretrain")
    said = "step 120 of 2,000 · loss 3.214 ▇▆▅▃▂ · 12,345 tokens/s · 41 % of peak · 1.2 GiB · 3 min 20 s left"
    with board.step("shards") as tick:
        tick(1.0, "2 sources")
    with board.step("train") as tick:
        tick(0.06, "step 1")
        assert len(drawn(board, width)) == 2
        tick(0.06, said)
        lines = drawn(board, width)
    assert len(lines) == 3
    assert all(len(line) <= width for line in lines)
    assert "train" in lines[1] and "━" in lines[1]
    assert lines[2].strip() == said if width == 200 else lines[2].endswith("…")


def test_a_step_that_is_done_has_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    board = Board("t")
    with board.step("one\x1b") as tick:
        tick(2.0, "40 rows [red]\x1b")
    lines = drawn(board, 80)
    assert "40 rows [red]␛" in lines[0] and "✓" in lines[0] and "━" not in lines[0]
    assert "one" in capsys.readouterr().err


def test_a_step_that_failed_says_so() -> None:
    board = Board("t")
    with pytest.raises(ValueError), board.step("one"):
        raise ValueError
    assert "✗" in drawn(board, 80)[0]
