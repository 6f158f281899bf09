"""Risks: every warning that a step of the run gave."""

from dragoman.report.record import Table, words

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """The warnings, each once and in their order; None where there are none."""
    warnings = record.get("warnings")
    if not isinstance(warnings, list | tuple):
        return None
    found = list(dict.fromkeys(words(warning) for warning in warnings if words(warning)))
    return {"warnings": found} if found else None
