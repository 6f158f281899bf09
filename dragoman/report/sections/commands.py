"""The commands that make this report again."""

from dragoman.report.record import Table, words

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """The commands, one a line; None where there are none."""
    commands = record.get("commands")
    if not isinstance(commands, list | tuple):
        return None
    found = [found for command in commands if (found := words(command).strip())]
    return {"text": "\n".join(found)} if found else None
