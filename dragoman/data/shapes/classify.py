"""The shape of a classification set: a row with a text and one or several labels becomes an Example."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dragoman.core.config import nearest
from dragoman.core.types import Example, Message
from dragoman.data.clean import clean
from dragoman.data.problems import Place, Problem, Row

__all__ = ["Classify"]


@dataclass(frozen=True, slots=True)
class Classify:
    """Which columns hold the text, the label, the id and the group, and which labels may occur (empty: any)."""

    text: str = "text"
    label: str = "label"
    id: str = ""
    group: str = ""
    labels: tuple[str, ...] = ()
    multi_label: bool = False

    def __call__(self, row: Row) -> tuple[Example, tuple[str, ...]] | Problem:
        """The example of a row and what cleaning found in its text (keys of clean.CHANGES), or why the row is refused.

        The meta of the example holds `place`, and `id` and `group` where the columns are known.
        """
        text = self._text(row)
        if isinstance(text, Problem):
            return text
        cleaned = clean(text)
        if not cleaned.text:
            return Problem("empty-text", row.place, f"the column '{self.text}' is empty")
        answers = self._answers(row)
        if isinstance(answers, Problem):
            return answers
        meta: dict[str, Any] = {"place": str(row.place)}
        for name, column in (("id", self.id), ("group", self.group)):
            if column and row.values.get(column) is not None:
                meta[name] = str(row.values[column])
        return Example((Message("user", cleaned.text),), answers, meta=meta), cleaned.found

    def _text(self, row: Row) -> str | Problem:
        whole = self.text in row.values or "+" not in self.text
        parts = []
        for name in [self.text] if whole else [part.strip() for part in self.text.split("+")]:
            value = row.values.get(name)
            if value is None:
                return _absent(row, name)
            if not isinstance(value, str):
                reason = f"the column '{name}' holds a {type(value).__name__} here, not a text"
                return Problem("wrong-type", row.place, reason)
            parts.append(value)
        return "\n".join(parts)

    def _answers(self, row: Row) -> tuple[str, ...] | Problem:
        if not self.label:
            return ()
        value = row.values.get(self.label)
        if value is None:
            return _absent(row, self.label)
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


def _absent(row: Row, column: str) -> Problem:
    if column in row.values:
        return Problem("missing-value", row.place, f"the column '{column}' is null")
    here: Mapping[str, Any] = row.values
    return Problem(
        "missing-column", row.place, f"the column '{column}' is not in this row, which has {', '.join(here) or 'none'}"
    )
