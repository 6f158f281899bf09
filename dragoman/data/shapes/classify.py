"""The shape of a classification set: a row with a text and one or several labels becomes an Example."""

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from dragoman.core.config import nearest
from dragoman.core.project import Columns
from dragoman.core.types import Example, Message
from dragoman.data.clean import clean
from dragoman.data.columns import LABEL_NAMES, PAIRS, TEXT_NAMES, Schema, choose
from dragoman.data.problems import Place, Problem, Row
from dragoman.data.shaping import Shaped, Wanted, absent, cell, facts, found_column

__all__ = ["Classify"]

CERTAIN = ("label", "labels", "category", "class", "intent", "sentiment", "topic", "coarse")  # named so, a label it is


@dataclass(frozen=True, slots=True)
class Classify:
    """Which columns hold the text, the label, the id and the group, and which labels may occur (empty: any)."""

    text: str = "text"
    label: str = "label"
    id: str = ""
    group: str = ""
    labels: tuple[str, ...] = ()
    multi_label: bool = False
    tasks: ClassVar[tuple[str, ...]] = ("classify",)

    def __call__(self, row: Row) -> Shaped:
        """The example of a row and what cleaning found in its text (keys of clean.CHANGES), or why the row is refused.

        The meta of the example holds `place`, and `id` and `group` where the columns are known.
        """
        text = cell(row, self.text)
        if isinstance(text, Problem):
            return text
        cleaned = clean(text)
        if not cleaned.text:
            return Problem("empty-text", row.place, f"the column '{self.text}' is empty")
        answers = self._answers(row)
        if isinstance(answers, Problem):
            return answers
        return Example((Message("user", cleaned.text),), answers, meta=facts(row, self.used())), cleaned.found

    @classmethod
    def fits(cls, schema: Schema) -> float:
        """High where a column has the name and the values of a label, low where its values are answers."""
        name = found_column(schema, LABEL_NAMES)
        pairs = any(all(part in schema.columns for part in pair) for pair in PAIRS)
        text = pairs or found_column(schema, TEXT_NAMES) not in ("", name)
        if not name or not text or schema.columns[name].kinds["dict"]:
            return 0.0
        if schema.columns[name].repeated():
            return 0.85
        return 0.7 if name.lower() in CERTAIN else 0.15

    @classmethod
    def choose(cls, schema: Schema, wanted: Wanted) -> tuple[Self, list[str]]:
        """The columns as `data.columns.choose` finds them. Raises UserError."""
        found, said = choose(schema, wanted.columns, wanted.labels, wanted.labelled)
        return cls(found.text, found.label, found.id, found.group, wanted.labels, wanted.multi_label), said

    def used(self) -> Columns:
        """The columns it reads."""
        return Columns(text=self.text, label=self.label, id=self.id, group=self.group)

    def _answers(self, row: Row) -> tuple[str, ...] | Problem:
        if not self.label:
            return ()
        value = row.values.get(self.label)
        if value is None:
            return absent(row, self.label)
        values = self._several(value)
        answers: list[str] = []
        for one in values:
            label = _label(one)
            if label is None:
                reason = f"the column '{self.label}' holds a {type(one).__name__} here ({one!r:.40}), not a label"
                return Problem("wrong-type", row.place, reason)
            if self.labels and label not in self.labels:
                return self._outside(label, row.place)
            answers.append(label)
        if not self.multi_label and len(answers) != 1:
            if not answers:
                return Problem("missing-label", row.place, "the list of labels is empty")
            fix = "scope.multi_label=true allows several"
            return Problem("several-labels", row.place, f"{len(answers)} labels where one is meant", fix)
        return tuple(dict.fromkeys(answers))

    def _several(self, value: Any) -> list[Any]:
        """The labels of one cell: a list as it is, or one written as text in a CSV: ["a", "b"], a|b, a;b or a,b."""
        if isinstance(value, list | tuple):
            return list(value)
        if not isinstance(value, str) or not self.multi_label or value.strip() in self.labels:
            return [value]
        if value.lstrip().startswith("["):
            try:
                listed = json.loads(value)
            except ValueError:
                return [value]
            return list(listed)
        mark = next((mark for mark in "|;," if mark in value), None)
        return [part for part in value.split(mark) if part.strip()] if mark else [value] * bool(value.strip())

    def _outside(self, label: str, place: Place) -> Problem:
        return Problem(
            "label-outside-scope",
            place,
            f"the label '{label}' is not one of the scope; {nearest(label, self.labels)}",
            "scope.labels names the labels; data.columns.label=NAME another column",
        )


def _label(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else None
    if isinstance(value, str) and value.strip():
        return clean(value).text
    return None
