"""The corpus card: where the text came from, what was taken out and why, and what is left to learn from."""

from collections.abc import Mapping, Sequence

from dragoman.report.bars import share
from dragoman.report.grid import Cell, Grid, facts, grid, spoken, told
from dragoman.report.numbers import brief, whole
from dragoman.report.record import Table, hollow, number, rows, table, words
from dragoman.report.text import cut

__all__ = ["view"]

_LONGEST = 240
_MOST_EXAMPLES = 3
_MOST_LINES = 20


def view(record: Table) -> dict[str, object] | None:
    """The tables of the card; None where the record says nothing of the corpus."""
    card = table(record.get("corpus"))
    if hollow(card):
        return None
    tables: list[Grid] = []
    others: dict[str, object] = {}
    for key, value in card.items():
        name = spoken(words(key)).capitalize()
        if key == "filters" and rows(value):
            continue
        made = _rows_of(name, rows(value)) if rows(value) else _counts(name, table(value), f"corpus-{len(tables)}")
        if made is not None:
            tables.append(made)
        else:
            others[key] = value
    filters = rows(card.get("filters"))
    return {
        "facts": facts("Facts", others),
        "filters": _filters(filters),
        "examples": [example for row in filters if (example := _examples(row)) is not None],
        "grids": tables,
    }


def _counts(title: str, counts: Table, name: str) -> Grid | None:
    """Counts by name as bars, the largest first; None where not all of it is counts."""
    found = [(words(key), number(value)) for key, value in counts.items()]
    sizes = [(key, value) for key, value in found if value is not None and value >= 0]
    if not sizes or len(sizes) < len(found):
        return None
    ordered = sorted(sizes, key=lambda one: (-one[1], one[0]))
    rest = sum(value for _, value in ordered[_MOST_LINES:])
    ordered = ordered[:_MOST_LINES] + ([(f"{len(ordered) - _MOST_LINES} others", rest)] if rest else [])
    return _bars(title, ordered, name)


def _bars(title: str, counts: Sequence[tuple[str, float]], name: str) -> Grid | None:
    most = max((value for _, value in counts), default=0.0) or 1.0
    lines = []
    for place, (key, value) in enumerate(counts):
        drawing = share(f"{name}-{place}", (f"{title}: {key}", brief(value)), value / most)
        lines.append([Cell(key), Cell(drawing=drawing), Cell(brief(value), kind="count")])
    return grid(title, ("name", "share", "count"), lines)


def _filters(filters: Sequence[Table]) -> Grid | None:
    """How many each filter took, in the order in which they worked."""
    counts = [(words(row.get("name")), number(row.get("count"))) for row in filters]
    known = [(name, value) for name, value in counts if name and value is not None and value >= 0]
    return _bars("Taken out by each filter", known, "corpus-filter")


def _examples(row: Table) -> dict[str, object] | None:
    """The first texts that a filter took, cut short."""
    given = row.get("examples")
    if not isinstance(given, Sequence) or isinstance(given, str):
        return None
    texts = [words(one.get("text")) if isinstance(one, Mapping) else words(one) for one in given]
    shown = [_short(text) for text in texts if text][:_MOST_EXAMPLES]
    return {"name": words(row.get("name")), "texts": shown} if shown else None


def _short(text: str) -> str:
    shown, left = cut(text, _LONGEST)
    return f"{shown}… ({whole(left)} more characters)" if left else shown


def _rows_of(title: str, found: Sequence[Table]) -> Grid | None:
    """A table of whatever the rows hold, one column a key."""
    keys = list(dict.fromkeys(key for row in found for key in row))
    lines = [[_cell(words(key), row.get(key)) for key in keys] for row in found[:_MOST_LINES]]
    if len(found) > _MOST_LINES:
        lines.append([Cell(f"{len(found) - _MOST_LINES} others"), *(Cell() for _ in keys[1:])])
    return grid(title, [spoken(words(key)) for key in keys], lines) if keys else None


def _cell(name: str, value: object) -> Cell:
    found = number(value)
    return Cell(words(value)) if found is None else Cell(words(told(name, value)), kind="count")
