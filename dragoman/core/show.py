"""The terminal: results on standard output, progress on standard error, one JSON object for programs."""

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dragoman.core.durable import plain
from dragoman.core.sizing import show_seconds
from dragoman.core.types import Estimate

__all__ = ["Board", "Show", "Tick", "figure", "line_of", "many", "silent", "visible"]

Tick = Callable[[float, str], None]
LONG = 32  # characters that stand beside the bar; with a name, the bar and the time they fill 80 columns
# Control characters but tab and line end, and what turns the direction of writing: a terminal obeys them.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SIGNS = {
    "met": ("✓ met", "green"),
    "unproven": ("? unproven", "yellow"),
    "missed": ("✗ missed", "red"),
    "error": ("✗ error", "red"),
    "warning": ("! warning", "yellow"),
    "note": ("· note", "dim"),
}


def silent(done: float, text: str = "") -> None:
    """A progress report nobody looks at."""


def many(count: int, noun: str) -> str:
    """A count with its noun: 1 row, 2 rows."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def figure(estimate: Estimate | Mapping[str, Any], digits: int = 3) -> str:
    """A figure with its interval, 0.861 [0.842, 0.880]; one that is exact, such as a size, stands alone."""
    value, low, high = (
        (estimate.value, estimate.low, estimate.high)
        if isinstance(estimate, Estimate)
        else (estimate["value"], estimate["low"], estimate["high"])
    )
    shown = [f"{round(number, digits) + 0.0:.{digits}f}" for number in (value, low, high)]  # + 0.0: never -0.000
    return shown[0] if low == value == high else f"{shown[0]} [{shown[1]}, {shown[2]}]"


@dataclass(frozen=True)
class Show:
    """Where a verb says what it has to say. With `json`, standard output holds one object and nothing else."""

    json: bool = False

    def say(self, text: str) -> None:
        """One line for the person, on standard error."""
        print(text, file=sys.stderr, flush=True)

    def card(self, title: str, rows: Sequence[tuple[str, str]], mark: str = "") -> None:
        """A small framed card of names and values."""
        from rich.panel import Panel
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in rows:
            grid.add_row(_cell(name), _cell(value))
        style = {"good": "green", "bad": "red", "wait": "yellow"}.get(mark, "cyan")
        self._print(Panel(grid, title=Text(visible(title)), title_align="left", border_style=style, expand=False))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table with a title."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        drawn = Table(title=Text(visible(title)), title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
        for column in columns:
            drawn.add_column(column, overflow="fold")
        for row in rows:
            drawn.add_row(*map(_cell, row))
        self._print(drawn)

    def draw(self, thing: Any) -> None:
        """What rich draws, on standard output."""
        self._print(thing)

    def _print(self, thing: Any) -> None:
        if not self.json:
            from rich.console import Console

            Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(thing)

    def result(self, value: Mapping[str, Any], always: bool = False) -> None:
        """The one JSON object of a verb, as the last line of standard output; `always` prints it without --json too."""
        if self.json or always:
            print(line_of(value), flush=True)

    @contextlib.contextmanager
    def board(self, title: str) -> Iterator["Board"]:
        """A live list of steps on standard error; plain lines where there is no terminal."""
        board = Board(title)
        if not sys.stderr.isatty():
            yield board
            return
        from rich.console import Console
        from rich.live import Live

        with Live(get_renderable=board.draw, console=Console(stderr=True), refresh_per_second=8, transient=False):
            yield board


def visible(text: str) -> str:
    """A text as a terminal may show it: it can move no cursor, ring no bell and write nothing backwards.

    Names, messages and answers come from files and models that somebody else made.
    """
    return _CONTROL.sub(lambda found: _picture(ord(found[0])), text.replace("\r\n", "\n"))


def _picture(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)  # Unicode has a picture of each
    return "\u2421" if code == 0x7F else f"<U+{code:04X}>"


def line_of(value: Mapping[str, Any]) -> str:
    """A value as one line of JSON, with what a terminal would obey written as escapes."""
    told = json.dumps(plain(value), ensure_ascii=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", told)


def _cell(text: str) -> Any:
    """A cell as it is, never read as markup: it may hold a user's text. A last word such as `met` gets its sign."""
    from rich.text import Text

    text = visible(text)
    front, _, last = text.rpartition(" ")
    sign, style = ("", "") if front.endswith(":") else SIGNS.get(last, ("", ""))  # ": missed" ends a sentence
    return Text.assemble(f"{front} " if front else "", (sign, style)) if sign else Text(text)


@dataclass
class _Line:
    """One step on the board."""

    begun: float
    state: str = "running"
    text: str = ""
    done: float = 0.0
    spent: float = 0.0


@dataclass
class Board:
    """The steps of a job as they go: their state, what they said last, and how long they took."""

    title: str
    lines: dict[str, _Line] = field(default_factory=dict)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Tick]:
        """Show a step as running until the block ends; the tick it yields moves its bar and its words."""
        self.lines[name] = line = _Line(time.monotonic())
        spoken = line.begun

        def tick(done: float, text: str = "") -> None:
            nonlocal spoken
            line.text, line.done = text or line.text, min(done, 1.0)
            if not sys.stderr.isatty() and time.monotonic() - spoken > 15:
                spoken = time.monotonic()
                print(f"  {name} {done:.0%} {line.text}", file=sys.stderr, flush=True)

        try:
            yield tick
        except BaseException:
            line.state = "stopped"
            raise
        line.state, line.spent = "done", time.monotonic() - line.begun
        if not sys.stderr.isatty():
            print(f"  {name}: {line.text} ({show_seconds(line.spent)})", file=sys.stderr, flush=True)

    def draw(self) -> Any:
        """The board as rich draws it. What a running step says stands below, on one line, where it is long."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        grid, below = Table.grid(padding=(0, 1)), []
        for place in range(5):
            grid.add_column(no_wrap=place != 2, overflow="fold" if place == 2 else "ellipsis")
        for name, line in self.lines.items():
            running = line.state == "running"
            mark: Any = {"done": "[green]✓[/]", "stopped": "[red]✗[/]"}.get(line.state) or Spinner("dots")
            spent = time.monotonic() - line.begun if running else line.spent
            middle: Any = ProgressBar(total=1, completed=line.done, width=24) if running and line.done else Text("")
            apart = running and len(line.text) > LONG
            if apart:  # cut at the edge of the terminal: a line that wraps would make the board jump as it changes
                below.append(Text(f"  {visible(line.text)}", no_wrap=True, overflow="ellipsis"))
            told = "" if apart else visible(line.text)
            time_spent = Text(show_seconds(spent), style="dim")
            grid.add_row(mark, Text(visible(name), style="bold"), Text(told), middle, time_spent)
        return Group(grid, *below)
