"""What the tests of reading share: a sound pair of rows, and what comes of a file with a given content."""

from pathlib import Path

from dragoman.data.problems import Problem, Row
from dragoman.data.read import scan

__all__ = ["GOOD", "ROWS", "found", "only", "values"]

GOOD = '{"text": "a sound row", "label": "yes"}\n{"text": "another one", "label": "no"}\n'
ROWS = ({"text": "one", "label": "a"}, {"text": 'two, with "marks"\nand lines', "label": "b"})


def found(path: Path, content: bytes | str, max_line: int = 8 * 2**20) -> tuple[list[Row], list[Problem]]:
    """The rows and the problems of a file with that content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    items = list(scan(path.name, root=path.parent, max_line=max_line))
    return [item for item in items if isinstance(item, Row)], [item for item in items if isinstance(item, Problem)]


def only(path: Path, content: bytes | str, max_line: int = 8 * 2**20) -> Problem:
    """The one problem that refuses something of a file with that content."""
    refused = [problem for problem in found(path, content, max_line)[1] if problem.refused]
    assert len(refused) == 1, refused
    return refused[0]


def values(path: Path, content: bytes | str) -> list[dict[str, object]]:
    """The values of each row of a file with that content, of which nothing is refused."""
    rows, problems = found(path, content)
    assert not [problem for problem in problems if problem.refused]
    return [dict(row.values) for row in rows]
