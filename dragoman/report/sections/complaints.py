"""What users complained about: the cases that were collected, with the answer of then beside that of now."""

from dragoman.report.grid import Cell, grid
from dragoman.report.numbers import spread
from dragoman.report.passage import passage
from dragoman.report.record import Table, count, figure, rows, table, words

__all__ = ["view"]

TONES = {"fixed": "met", "better": "met", "still right": "met", "broken": "missed", "worse": "missed"}


def view(record: Table) -> dict[str, object] | None:
    """The figures of both answers, how many were fixed, and the cases; None where none were collected."""
    found = table(record.get("complaints"))
    metric, number = words(found.get("metric")), count(found.get("rows"))
    if not metric or not number:
        return None
    lines = []
    for name, title in (
        ("before", "as it was answered"),
        ("now", "as it is answered now"),
        ("difference", "difference"),
    ):
        one = figure(found.get(name))
        if one is not None:
            lines.append([Cell(title), Cell(spread(metric, one, sign=name == "difference"), kind="number")])
    outcomes = [
        [Cell(words(name), tone=TONES.get(words(name), "unproven")), Cell(words(value), kind="count")]
        for name, value in table(found.get("outcomes")).items()
    ]
    return {
        "number": number,
        "figures": grid("The answers of then and of now, by " + metric, ("answers", metric), lines),
        "outcomes": grid("What became of them", ("outcome", "cases"), outcomes),
        "cases": [
            {
                **passage(words(row.get("text"))),
                "expected": passage(words(row.get("expected"))),
                "before": passage(words(row.get("before"))),
                "now": passage(words(row.get("now"))),
                "outcome": words(row.get("outcome")),
            }
            for row in rows(found.get("cases"))
        ],
    }
