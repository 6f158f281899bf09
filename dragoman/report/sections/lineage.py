"""Lineage: the runs that led here, their inputs by hash, and the machine and seeds they ran with."""

from dragoman.report.grid import Cell, grid
from dragoman.report.numbers import duration
from dragoman.report.record import Table, hollow, number, rows, table, words

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """The runs and the environment; None where the record has neither."""
    runs, environment = [_run(row) for row in rows(record.get("lineage"))], _flat(table(record.get("environment")), "")
    if not runs and not environment:
        return None
    lines = [[Cell(name), Cell(value, kind="code")] for name, value in environment]
    return {"runs": runs, "grid": grid("Environment", ("setting", "value"), lines)}


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


def _flat(environment: Table, above: str) -> list[tuple[str, str]]:
    """Nested settings as lines named above.below."""
    lines: list[tuple[str, str]] = []
    for key, value in environment.items():
        name = f"{above}.{words(key)}" if above else words(key)
        nested = table(value)
        if nested:
            lines += _flat(nested, name)
        elif not hollow(value):
            lines.append((name, words(value)))
    return lines
