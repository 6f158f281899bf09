"""The settings: everything that was in force, defaults included."""

from dragoman.report.grid import listing
from dragoman.report.record import Table, table

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """The settings one a line, under the names they have on the command line; None where there are none."""
    found = listing("Settings", ("setting", "value"), table(record.get("settings")))
    return None if found is None else {"grid": found, "count": len(found.rows)}
