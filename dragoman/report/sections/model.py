"""The model: its family and its sizes."""

from dragoman.report.grid import facts
from dragoman.report.record import Table, table

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """The facts one a line; None where nothing is known of the model."""
    found = facts("Model", table(record.get("model")))
    return None if found is None else {"grid": found}
