"""The shape of texts with their summaries, one or several to a text."""

from dataclasses import dataclass
from typing import ClassVar, Self

from dragoman.core.project import Columns
from dragoman.core.types import Example, Message
from dragoman.data.columns import Schema, identify
from dragoman.data.problems import Problem, Row
from dragoman.data.shaping import Shaped, Wanted, answers_of, cell, choose_column, facts, found_column, tidy

__all__ = ["Summarize"]

TEXTS = ("dialogue", "document", "article", "transcript", "meeting", "report", "passage", "text", "content", "body")
SUMMARIES = ("summary", "summaries", "highlights", "abstract", "tldr", "target_summary")
NUMBERED = ("summary1", "summary2", "summary3", "summary4", "summary5")


@dataclass(frozen=True, slots=True)
class Summarize:
    """A text and its summaries; the instruction to sum up is no part of the example."""

    text: str = "text"
    "The column with the text."
    summary: str = "summary"
    "The column with the summary, or a list of summaries; several columns are joined by +."
    id: str = ""
    "The column that identifies a row."
    group: str = ""
    "Rows with the same value here stay together."
    tasks: ClassVar[tuple[str, ...]] = ("summarize", "write")

    @classmethod
    def fits(cls, schema: Schema) -> float:
        """High where both have their names; lower beside a column of labels."""
        if not found_column(schema, TEXTS) or not found_column(schema, (*SUMMARIES, *NUMBERED)):
            return 0.0
        label = found_column(schema, ("label", "labels"))
        return 0.6 if label and schema.columns[label].repeated() else 0.9

    @classmethod
    def choose(cls, schema: Schema, wanted: Wanted) -> tuple[Self, list[str]]:
        """The columns by their names. Raises UserError where one is not there."""
        said: list[str] = []
        text = choose_column(schema, wanted.columns.text, TEXTS, "text", said, "text")
        numbered = [found_column(schema, (name,)) for name in NUMBERED]
        summary = "+".join(name for name in numbered if name)
        if wanted.columns.label or not summary:
            summary = choose_column(schema, wanted.columns.label, SUMMARIES, "summary", said, "label")
        else:
            said.append(f"summary = columns '{summary}', each a reference of its own")
        return cls(text, summary, *identify(schema, wanted.columns, said)), said

    def used(self) -> Columns:
        """The columns it reads."""
        return Columns(text=self.text, label=self.summary, id=self.id, group=self.group)

    def __call__(self, row: Row) -> Shaped:
        """The example of a row. Problems: missing-column, missing-value, wrong-type, empty-text, empty-answer."""
        found: list[str] = []
        text = cell(row, self.text)
        if isinstance(text, Problem):
            return text
        text = tidy(text, found)
        if not text:
            return Problem("empty-text", row.place, f"the column '{self.text}' is empty")
        references: list[str] = []
        for name in [self.summary] if self.summary in row.values else self.summary.split("+"):
            answers = answers_of(row, name, found)
            if isinstance(answers, Problem):
                return answers
            references += answers
        example = Example((Message("user", text),), tuple(dict.fromkeys(references)), meta=facts(row, self.used()))
        return example, tuple(dict.fromkeys(found))
