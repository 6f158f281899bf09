"""Real rows looked at token by token: what is read, what is learnt, where it stops, and what max_length cuts away."""

import codecs
from collections.abc import Mapping, Sequence
from typing import Any

from dragoman.core.show import Show, visible
from dragoman.nn.tokenizer import Tokenizer
from dragoman.stages.check_marks import Taught, sample_of

__all__ = ["KINDS", "draw", "view"]

# How each kind looks in a terminal; the words stand in the legend, so that colour is never alone.
KINDS: Mapping[str, str] = {
    "read": "dim",
    "control": "cyan",
    "learnt": "green",
    "stop": "bold reverse green",
    "cut": "strike red",
}
BEGIN, END = 80, 160  # tokens of a long row that are drawn: its beginning, and its end with the answer


def view(tokenizer: Tokenizer, row: Taught) -> dict[str, Any]:
    """A row as plain JSON values: ids, the text of each token, whether it is learnt, and what kind it is."""
    control = tokenizer.control_ids | tokenizer.eos_ids
    kinds = []
    for place, number in enumerate(row.ids):
        if not row.kept[place] and not row.predicted[place]:
            kinds.append("cut")
        elif row.predicted[place]:
            kinds.append("stop" if number == row.stop else "learnt")
        else:
            kinds.append("control" if number in control else "read")
    return {
        "place": sample_of(row.example).place,
        "ids": list(row.ids),
        "pieces": _pieces(tokenizer, row.ids, control),
        "learnt": list(row.predicted),
        "kinds": kinds,
    }


def _pieces(tokenizer: Tokenizer, ids: Sequence[int], control: frozenset[int]) -> list[str]:
    """The text of each token; a letter that several tokens make together stands at the last of them."""
    reader = codecs.getincrementaldecoder("utf-8")("replace")
    names = tokenizer.tokens(ids)
    found = []
    for number, name, piece in zip(ids, names, tokenizer.pieces(ids), strict=True):
        found.append(name if number in control else reader.decode(piece))
    return found


def draw(views: Sequence[Mapping[str, Any]], show: Show) -> None:
    """The rows in colour, with a legend, on standard output."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    legend = Text("  ").join(Text(kind, style) for kind, style in KINDS.items())
    for one in views:
        text, size = Text(), len(one["ids"])
        for place, (piece, kind) in enumerate(zip(one["pieces"], one["kinds"], strict=True)):
            if BEGIN <= place < size - END:
                if place == BEGIN:
                    text.append(f" … {size - END - BEGIN:,} tokens … ", "bold")
                continue
            text.append(visible(piece).replace("\n", "⏎\n"), KINDS[kind])
        counts = ", ".join(f"{one['kinds'].count(kind):,} {kind}" for kind in KINDS if kind in one["kinds"])
        title = Text(visible(f"{one['place'] or 'a row'}: {counts}"))
        show.draw(Panel(Group(text, Text(), legend), title=title, title_align="left", border_style="cyan"))
