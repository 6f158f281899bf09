"""The settings: everything that was in force, defaults included, and how figures of texts were counted."""

from dragoman.report.grid import listing
from dragoman.report.record import Table, table

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """The settings one a line, under the names they have on the command line; None where there are none.

    Behind them stands the signature of each metric that has one (Post, 2018), without which its figure compares to
    nothing.
    """
    signed = {f"signature of {name}": value for name, value in table(record.get("signatures")).items()}
    found = listing("Settings", ("setting", "value"), {**table(record.get("settings")), **signed})
    return None if found is None else {"grid": found, "count": len(found.rows)}
