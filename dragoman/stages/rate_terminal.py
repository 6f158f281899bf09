"""Rating in the terminal: one key a choice; what is piped in is read as keys too."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

from dragoman.core.show import Show, visible
from dragoman.data.ratings_desk import Desk

__all__ = ["KEYS", "rate_here"]

KEYS = "1-4 the best first, 0 or t tie, s skip, u undo, q leave"
LEAVE = ("q", "\x04")
_SEQUENCE = re.compile("\x1b(\\[[0-9;]*[A-Za-z~]|O.)?")  # what arrows and keys like them send


def rate_here(desk: Desk, rater: str, show: Show) -> None:
    """Ask for one item after the other until all are judged or the keys end; each judgement is saved before the next.

    Of more than two completions the keys are picked from the best on; the last one left follows by itself, and a tie
    among the rest ends it too.
    """
    here = sys.stdin.isatty() and not show.json
    show.say(desk.view(rater)["question"])
    show.say(f"keys: {KEYS}")
    with _keys(here) as keys:
        view, picked = desk.view(rater), list[int]()
        _draw(view, show)
        for key in keys:
            if key in LEAVE or (view["item"] is None and key != "u"):
                break
            known = _press(desk, view, picked, key)
            if known and not picked:
                view = desk.view(rater)
                _draw(view, show)
            elif known:
                show.say("from the best: " + " ".join(str(place + 1) for place in picked))
            elif not key.isspace():
                show.say(f"{visible(key)} is no key here: {KEYS}")
    view = desk.view(rater)
    show.say(f"saved: {view['done']} of {view['total']} in {desk.journal.path}")


def _press(desk: Desk, view: dict[str, Any], picked: list[int], key: str) -> bool:
    """Do what a key says, and empty `picked` once it is written down; False where the key says nothing."""
    item, rater = view["item"], view["rater"]
    count = len(item["completions"]) if item else 0
    if key == "u":
        if picked:
            picked.pop()
            return True
        return desk.undo(rater)
    if key in ("0", "t"):
        act = "rank"
    elif key == "s":
        act, picked[:] = "skip", []
    elif key.isascii() and key.isdigit() and int(key) <= count and int(key) - 1 not in picked:
        picked.append(int(key) - 1)
        if len(picked) < count - 1:
            return True
        act = "rank"
    else:
        return False
    desk.judge(rater, item["key"], act, picked)  # where another window was faster, the next item is shown
    picked.clear()
    return True


def _draw(view: dict[str, Any], show: Show) -> None:
    """The item as it stands: the prompt, then the completions, side by side where there is room."""
    from rich import box
    from rich.panel import Panel
    from rich.text import Text

    item = view["item"]
    show.say(f"{view['done']} of {view['total']} done")
    if item is None:
        show.say("all is judged; u takes the last one back")
        return
    for message in item["prompt"]:
        title = Text(visible(message["role"]))
        show.draw(Panel(Text(visible(message["content"])), title=title, title_align="left", box=box.SIMPLE))
    for number, text in enumerate(item["completions"], 1):
        show.draw(Panel(Text(visible(text)), title=str(number), title_align="left", border_style="cyan"))


@contextlib.contextmanager
def _keys(here: bool) -> Iterator[Iterator[str]]:
    """Keys as they are pressed, without a return; from a pipe, every character that is no space."""
    if not here:
        yield _typed()
        return
    import termios
    import tty

    stream = sys.stdin.fileno()
    before = termios.tcgetattr(stream)
    tty.setcbreak(stream)
    try:
        yield _pressed(stream)
    finally:
        termios.tcsetattr(stream, termios.TCSADRAIN, before)


def _pressed(stream: int) -> Iterator[str]:
    while data := os.read(stream, 32):
        yield from _SEQUENCE.sub("", data.decode(errors="replace")).lower()


def _typed() -> Iterator[str]:
    for line in sys.stdin:
        yield from (key for key in line.lower() if not key.isspace())
