"""Both answers side by side: the rows where the tuned model gained most, and those where it lost most."""

from dragoman.report.numbers import signed
from dragoman.report.passage import passage
from dragoman.report.record import Table, number, rows, words

__all__ = ["view"]

TITLES = {"gained": "Gained most", "lost": "Lost most"}


def view(record: Table) -> dict[str, object] | None:
    """Two lists of rows; None where no answers were compared."""
    found = rows(record.get("answers"))
    groups = [
        {"title": title, "samples": [_sample(row) for row in found if row.get("group") == key]}
        for key, title in TITLES.items()
    ]
    shown = [group for group in groups if group["samples"]]
    return {"groups": shown} if shown else None


def _sample(row: Table) -> dict[str, object]:
    stopped = row.get("stopped")
    ends = list(stopped) if isinstance(stopped, list | tuple) else []
    return {
        **passage(words(row.get("text"))),
        "expected": passage(words(row.get("expected"))),
        "before": passage(words(row.get("before"))),
        "after": passage(words(row.get("after"))),
        "endless": ["did not stop" if end is False else "" for end in [*ends, None, None][:2]],
        "gain": signed(number(row.get("gain"))),
    }
