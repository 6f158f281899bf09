"""Lineage: the runs that led here, their inputs by hash, and the machine and seeds they ran with."""

from dragoman.report.grid import listing
from dragoman.report.numbers import duration
from dragoman.report.record import Table, number, rows, table, words

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """The runs and the environment; None where the record has neither."""
    runs = [_run(row) for row in rows(record.get("lineage"))]
    environment = listing("Environment", ("setting", "value"), table(record.get("environment")))
    if not runs and environment is None:
        return None
    return {"runs": runs, "grid": environment}


def _run(row: Table) -> dict[str, object]:
    inputs = []
    for name, value in table(row.get("inputs")).items():
        given = table(value)
        inputs.append(
            {
                "name": words(name),
                "path": words(given.get("path") if given else value),
                "sha256": words(given.get("sha256")),
            }
        )
    seconds = number(row.get("seconds"))
    return {
        "run": words(row.get("run")),
        "verb": words(row.get("verb")),
        "sha256": words(row.get("sha256")),
        "time": "" if seconds is None else duration(seconds),
        "inputs": inputs,
    }
