"""What every data shape is made with: the wishes it is given, the columns it looks for, the cells it reads."""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

from dragoman.core.errors import UserError
from dragoman.core.project import Columns
from dragoman.core.types import Example
from dragoman.data.clean import clean
from dragoman.data.columns import Schema, known, listed
from dragoman.data.generated import GENERATED
from dragoman.data.problems import Problem, Row

__all__ = [
    "Shape",
    "Shaped",
    "Wanted",
    "absent",
    "answers_of",
    "cell",
    "choose_column",
    "facts",
    "found_column",
    "tidy",
]

INDENT = re.compile(r"(?:[ \t]*\r?\n)*(\t+|[ \t]{2,})\S")
Shaped = tuple[Example, tuple[str, ...]] | Problem


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is known before the rows are read: the columns that were given, and the labels of the scope.

    `labelled` False means that only texts are read, though no label is there.
    """

    columns: Columns = field(default_factory=Columns)
    labels: tuple[str, ...] = ()
    multi_label: bool = False
    labelled: bool = True


class Shape(Protocol):
    """One form that rows come in. `tasks` are those of a scope that its examples serve."""

    tasks: ClassVar[tuple[str, ...]]

    @classmethod
    def fits(cls, schema: Schema) -> float:
        """How well the columns suit, from 0 (not at all) to 1 (they can be nothing else)."""
        ...

    @classmethod
    def choose(cls, schema: Schema, wanted: Wanted) -> tuple[Self, list[str]]:
        """The shape over these columns, and one sentence for each column that was guessed. Raises UserError."""
        ...

    def used(self) -> Columns:
        """The columns it reads."""
        ...

    def __call__(self, row: Row) -> Shaped:
        """The example of a row with the names of what was changed in it, or why the row is refused."""
        ...


def found_column(schema: Schema, names: Collection[str]) -> str:
    """The first of these names, in lower case, that a column has; empty where there is none."""
    by_lower = {name.lower(): name for name in reversed(schema.columns)}
    return next((by_lower[name] for name in names if name in by_lower), "")


def choose_column(
    schema: Schema, given: str, names: Sequence[str], use: str, said: list[str], setting: str = ""
) -> str:
    """The given column, or the first of `names` that is there, which is said.

    `setting` is text or label where data.columns names it, and else "needed"; then a column that is not there raises
    UserError. Without one it is optional, and empty.
    """
    if given:
        known(schema, given, setting or use)
        return given
    column = found_column(schema, names)
    if column:
        said.append(f"{use} = column '{column}'")
    elif setting:
        problem = f"no column holds the {use}; the columns are {listed(schema)}"
        free = setting in ("text", "label")
        hint = f"data.columns.{setting}=NAME says which" if free else f"name it {names[0]}, or say data.shape=NAME"
        raise UserError(problem, hint)
    return column


def facts(row: Row, columns: Columns) -> dict[str, Any]:
    """What the meta of every example holds: its place, its id and group where there are columns for them, and that a
    model made it where the row says so."""
    meta: dict[str, Any] = {"place": str(row.place)}
    if str(row.values.get(GENERATED)).lower() == "true":  # a table of text writes it as a word
        meta[GENERATED] = True
    for name, column in (("id", columns.id), ("group", columns.group)):
        if column and row.values.get(column) is not None:
            meta[name] = str(row.values[column])
    return meta


def tidy(text: str, found: list[str]) -> str:
    """The cleaned text; what was changed is added to `found`. Line breaks inside a text stay."""
    cleaned = clean(text)
    found += cleaned.found
    return cleaned.text


def cell(row: Row, column: str) -> str | Problem:
    """The text of a column as it stands, or of several joined by "+", each on a line of its own."""
    whole = column in row.values or "+" not in column
    parts = []
    for name in [column] if whole else [part.strip() for part in column.split("+")]:
        value = row.values.get(name)
        if value is None:
            return absent(row, name)
        if not isinstance(value, str):
            reason = f"the column '{name}' holds a {type(value).__name__} here, not a text"
            return Problem("wrong-type", row.place, reason)
        parts.append(value)
    return "\n".join(parts)


def answers_of(row: Row, column: str, found: list[str]) -> tuple[str, ...] | Problem:
    """The answers of a cell that holds one text, a number, or a list of them; each stands once, none is empty."""
    value = row.values.get(column)
    if value is None:
        return absent(row, column)
    answers: list[str] = []
    for one in value if isinstance(value, list | tuple) else [value]:
        text = _written(one, found)
        if text is None:
            reason = f"the column '{column}' holds a {type(one).__name__} here, not a text"
            return Problem("wrong-type", row.place, reason)
        if text:
            answers.append(text)
    if not answers:
        return Problem("empty-answer", row.place, f"the column '{column}' is empty: there is nothing to learn")
    return tuple(dict.fromkeys(answers))


def _written(value: Any, found: list[str]) -> str | None:
    if isinstance(value, str):
        text = tidy(value, found)
        # The first line of a program keeps its place under the others; one blank is what stands behind a prompt.
        indent = INDENT.match(value) if "\n" in text else None
        return f"{indent[1]}{text}" if indent else text
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        found.append("number-as-text")
        return str(int(value)) if float(value).is_integer() else repr(value)
    return None


def absent(row: Row, column: str) -> Problem:
    """The problem of a value that is null, or of a column that this row lacks."""
    if column in row.values:
        return Problem("missing-value", row.place, f"the column '{column}' is null")
    return Problem(
        "missing-column",
        row.place,
        f"the column '{column}' is not in this row, which has {', '.join(row.values) or 'none'}",
    )
