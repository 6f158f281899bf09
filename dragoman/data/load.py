"""From a source to examples: rows are read, columns chosen from all of them, texts cleaned, all of it counted."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from dragoman.core.errors import UserError
from dragoman.core.project import Columns
from dragoman.core.types import Example
from dragoman.data.columns import Schema, choose
from dragoman.data.lines import LINE_LIMIT
from dragoman.data.problems import Place, Problem, Row, refuse
from dragoman.data.read import scan
from dragoman.data.shapes.classify import Classify

__all__ = ["Loaded", "load", "require"]

RARE_COLUMN = 0.5  # a column in fewer rows than this is an extra field


@dataclass(frozen=True, slots=True)
class Loaded:
    """A source after reading: its examples, what was refused, and what was counted on the way.

    `rows` counts the rows that could be read at all, `notes` what was changed or is odd, `said` the guesses in words,
    `schema` each column with its rows, types and values, from all rows.
    """

    source: str
    examples: tuple[Example, ...]
    problems: tuple[Problem, ...]
    notes: Mapping[str, int]
    columns: Columns
    said: tuple[str, ...]
    schema: Mapping[str, Mapping[str, Any]]
    rows: int


def load(
    source: str,
    *,
    columns: Columns | None = None,
    labels: Collection[str] = (),
    multi_label: bool = False,
    labelled: bool = True,
    root: Path = Path(),
    max_line: int = LINE_LIMIT,
    stdin: BinaryIO | None = None,
) -> Loaded:
    """Read a classification set whole. Rows that are refused are in `problems`; `require` turns them into an error.

    `columns` are the given ones (the rest is guessed and said), `labels` those of the scope (empty: any). With
    `labelled` False only texts are read. Raises UserError when the source or a needed column is not there.
    """
    given = columns or Columns()
    schema = Schema()
    rows: list[Row] = []
    problems: list[Problem] = []
    notes: Counter[str] = Counter()
    said: list[str] = []
    for found in scan(source, root=root, max_line=max_line, stdin=stdin):
        if isinstance(found, Row):
            schema.see(found)
            rows.append(found)
        elif found.refused:
            problems.append(found)
        else:
            notes[found.name] += 1
            if found.name == "separator":
                said.append(f"{found.place.file}: {found.reason}")
    if not rows:
        return Loaded(source, (), tuple(problems), notes, given, tuple(said), {}, 0)
    chosen, guesses = choose(schema, given, labels, labelled)
    shape = Classify(chosen.text, chosen.label, chosen.id, chosen.group, tuple(labels), multi_label)
    examples = _shaped(rows, shape, bool(given.id), problems, notes)
    rare = {name for name, column in schema.columns.items() if column.rows < RARE_COLUMN * schema.rows}
    extra = sum(1 for row in rows if rare & row.values.keys()) if rare else 0
    if extra:
        notes["extra-column"] = extra
    return Loaded(
        source, tuple(examples), tuple(problems), notes, chosen, (*said, *guesses), schema.table(), schema.rows
    )


def _shaped(
    rows: list[Row], shape: Classify, strict_id: bool, problems: list[Problem], notes: Counter[str]
) -> list[Example]:
    """The examples of the rows. A second row with an id is refused where the id column was given, else only counted."""
    examples: list[Example] = []
    seen: dict[str, Place] = {}
    for row in rows:
        made = shape(row)
        if isinstance(made, Problem):
            problems.append(made)
            continue
        example, found = made
        name = example.meta.get("id")
        if name is not None and name in seen:
            if strict_id:
                problems.append(Problem("duplicate-id", row.place, f"the id '{name}' stands at {seen[name]} too"))
                continue
            notes["duplicate-id"] += 1
        elif name is not None:
            seen[name] = row.place
        notes.update(found)
        examples.append(example)
    return examples


def require(loaded: Loaded, keep_going: bool = False) -> None:
    """Raise UserError when rows were refused (unless `keep_going`), or when no example is left."""
    if not keep_going:
        refuse(loaded.problems, loaded.source)
    if not loaded.examples:
        refuse(loaded.problems, loaded.source)
        raise UserError(f"0 examples in {loaded.source}", "data.source=PATH names other data")
