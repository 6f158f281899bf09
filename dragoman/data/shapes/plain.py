"""The shape of plain text: nothing is asked, the text itself is what is learnt."""

from dataclasses import dataclass
from typing import ClassVar, Self

from dragoman.core.project import Columns
from dragoman.core.types import Example
from dragoman.data.columns import Schema, identify
from dragoman.data.plain import plain
from dragoman.data.problems import Problem, Row
from dragoman.data.shaping import Shaped, Wanted, cell, choose_column, facts, found_column

__all__ = ["Plain"]

TEXTS = ("text", "content", "document", "body", "article", "story", "code", "raw_content")


@dataclass(frozen=True, slots=True)
class Plain:
    """A text without a prompt: the answer is the whole text, as plain text for pretraining is made, control characters
    left in."""

    text: str = "text"
    "The column with the text."
    id: str = ""
    "The column that identifies a row."
    group: str = ""
    "Rows with the same value here stay together."
    tasks: ClassVar[tuple[str, ...]] = ("write",)

    @classmethod
    def fits(cls, schema: Schema) -> float:
        """Low, for a text may be part of anything; likely where there is nothing else."""
        name = found_column(schema, TEXTS)
        alone = len([column for column in schema.columns.values() if column.kinds["str"]]) == 1
        return (0.5 if alone else 0.2) if name and schema.columns[name].kinds["str"] else 0.0

    @classmethod
    def choose(cls, schema: Schema, wanted: Wanted) -> tuple[Self, list[str]]:
        """The column by its name. Raises UserError where none holds text."""
        said: list[str] = []
        text = choose_column(schema, wanted.columns.text, TEXTS, "text", said, "text")
        return cls(text, *identify(schema, wanted.columns, said)), said

    def used(self) -> Columns:
        """The columns it reads."""
        return Columns(text=self.text, id=self.id, group=self.group)

    def __call__(self, row: Row) -> Shaped:
        """The example of a row. Problems: missing-column, missing-value, wrong-type, empty-text."""
        text = cell(row, self.text)
        if isinstance(text, Problem):
            return text
        # White space at the ends stays: the first line of a program may be indented.
        text, found = plain(text, control=False)
        if not text.strip():
            return Problem("empty-text", row.place, f"the column '{self.text}' is empty")
        return Example((), (text,), meta=facts(row, self.used())), found
