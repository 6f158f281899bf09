"""The data card: what was read, what was dropped and why, how it was split, and what the check found."""

from dragoman.report.bars import share
from dragoman.report.grid import Cell, Grid, grid
from dragoman.report.numbers import whole
from dragoman.report.record import Table, hollow, number, rows, table, words

__all__ = ["view"]

_MOST_LABELS = 40
_TONES = {"error": "missed", "refuse": "missed", "warning": "unproven", "warn": "unproven"}
_SIGNS = {"missed": "✗", "unproven": "!", "": "·"}


def view(record: Table) -> dict[str, object] | None:
    """The tables of the card; None where the record says nothing of the data."""
    card = table(record.get("data"))
    if hollow(card):
        return None
    balance, hidden = _balance(card)
    columns = {words(key): words(value) for key, value in table(card.get("columns")).items() if words(value)}
    return {
        "source": words(card.get("source")),
        "columns": columns,
        "grids": [found for found in (_rows(card), _splits(card), _lengths(card), _duplicates(card)) if found],
        "balance": balance,
        "hidden": hidden,
        "findings": _findings(card),
    }


def _rows(card: Table) -> Grid | None:
    """Read, each reason to drop, kept: one line a step, with its share of what was read."""
    read, kept = number(card.get("read")), number(card.get("kept"))
    steps = [
        ("read", read),
        *((f"dropped: {words(reason)}", number(value)) for reason, value in table(card.get("dropped")).items()),
        ("kept", kept),
    ]
    most = max([value for _, value in steps if value is not None], default=0.0) or 1.0
    lines = []
    for place, (name, value) in enumerate(steps):
        if value is not None:
            drawing = share(f"rows-{place}", (f"rows {name}", whole(value)), value / most)
            lines.append([Cell(name), Cell(drawing=drawing), Cell(whole(value), kind="count")])
    return grid("Rows", ("step", "share", "rows"), lines)


def _splits(card: Table) -> Grid | None:
    lines = []
    for name, split in table(card.get("splits")).items():
        size, labels = number(table(split).get("rows")), table(table(split).get("labels"))
        lines.append(
            [
                Cell(words(name)),
                Cell(whole(size), kind="count"),
                Cell(whole(len(labels)) if labels else "", kind="count"),
            ]
        )
    return grid("Splits", ("split", "rows", "labels"), lines)


def _balance(card: Table) -> tuple[Grid | None, int]:
    """The rows of each label in each split, the most frequent first, and how many labels are not shown."""
    splits = {words(name): table(table(split).get("labels")) for name, split in table(card.get("splits")).items()}
    splits = {name: labels for name, labels in splits.items() if labels}
    totals: dict[str, float] = {}
    for labels in splits.values():
        for label, value in labels.items():
            totals[label] = totals.get(label, 0.0) + (number(value) or 0.0)
    ordered = sorted(totals, key=lambda label: (-totals[label], label))
    most = max(totals.values(), default=0.0) or 1.0
    lines = []
    for place, label in enumerate(ordered[:_MOST_LABELS]):
        drawing = share(f"balance-{place}", (f"rows of {label}", whole(totals[label])), totals[label] / most)
        sizes = [Cell(whole(number(labels.get(label)) or 0), kind="count") for labels in splits.values()]
        lines.append([Cell(words(label)), Cell(drawing=drawing), Cell(whole(totals[label]), kind="count"), *sizes])
    return grid("Label balance", ("label", "share", "rows", *splits), lines), max(len(ordered) - _MOST_LABELS, 0)


def _lengths(card: Table) -> Grid | None:
    lines = []
    for name, lengths in table(card.get("lengths")).items():
        found = [number(table(lengths).get(key)) for key in ("p50", "p95", "max")]
        if any(value is not None for value in found):
            lines.append([Cell(words(name)), *(Cell(whole(value), kind="count") for value in found)])
    return grid("Lengths", ("measured in", "half are below", "95 % are below", "longest"), lines)


def _duplicates(card: Table) -> Grid | None:
    found = [(words(name), number(value)) for name, value in table(card.get("duplicates")).items()]
    lines = [[Cell(name), Cell(whole(value), kind="count")] for name, value in found if value is not None]
    return grid("Duplicates", ("kind", "rows"), lines)


def _findings(card: Table) -> list[dict[str, str]]:
    """What the check found, as it was said."""
    found = []
    for row in rows(card.get("findings")):
        severity = words(row.get("severity"))
        tone = _TONES.get(severity.lower(), "")
        found.append(
            {
                "name": words(row.get("name")),
                "severity": severity,
                "tone": tone,
                "sign": _SIGNS[tone],
                "count": "" if number(row.get("count")) is None else whole(number(row.get("count"))),
                "message": words(row.get("message")),
                "hint": words(row.get("hint")),
            }
        )
    return found
