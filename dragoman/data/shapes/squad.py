"""The shape of questions whose answers stand in a context, as in SQuAD (Rajpurkar et al., 2016)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from dragoman.core.project import Columns
from dragoman.core.types import Example, Message
from dragoman.data.clean import clean
from dragoman.data.columns import Schema, identify
from dragoman.data.problems import Problem, Row
from dragoman.data.shaping import Shaped, Wanted, absent, cell, choose_column, facts, found_column, tidy

__all__ = ["Squad"]

CONTEXTS = ("context", "passage", "paragraph")
ANSWERS = ("answers", "answer", "answer_text")
STARTS = ("answer_start", "start")
NEAR = 60  # characters around a wrong offset in which the answer may stand, once
WITHIN = 0.8  # of the first answers must stand in their contexts where no column gives the place


@dataclass(frozen=True, slots=True)
class Squad:
    """A context, a question in its last paragraph, and the accepted answers with their places in the context.

    `meta["starts"]` holds the character of the context at which each answer begins. An offset that does not point at
    its answer is mended where the answer stands once within 60 characters of it, and counted.
    """

    context: str = "context"
    "The column with the context."
    question: str = "question"
    "The column with the question."
    answers: str = "answers"
    "The column with the answers: {text: [...], answer_start: [...]}, a list of {text, answer_start}, or texts."
    start: str = ""
    "The column with the place of the answer, where it stands beside and not inside the answers."
    id: str = ""
    "The column that identifies a row."
    group: str = ""
    "Rows with the same value here stay together."
    tasks: ClassVar[tuple[str, ...]] = ("answer",)

    @classmethod
    def fits(cls, schema: Schema) -> float:
        """Sure where places are given; likely where the answers stand in their contexts word for word."""
        context, answers = found_column(schema, CONTEXTS), found_column(schema, ANSWERS)
        if not context or not answers or not found_column(schema, ("question",)):
            return 0.0
        if found_column(schema, STARTS) or any(_places(row.get(answers)) for row in schema.samples):
            return 0.97
        texts = [(row.get(context), pair[0]) for row in schema.samples for pair in _pairs(row.get(answers), None) or []]
        inside = sum(isinstance(text, str) and bool(answer) and answer in text for text, answer in texts)
        return 0.85 if texts and inside >= WITHIN * len(texts) else 0.0

    @classmethod
    def choose(cls, schema: Schema, wanted: Wanted) -> tuple[Self, list[str]]:
        """The columns by their names. Raises UserError where one is not there."""
        said: list[str] = []
        context = choose_column(schema, wanted.columns.text, CONTEXTS, "context", said, "text")
        question = choose_column(schema, "", ("question", "query"), "question", said, "needed")
        answers = choose_column(schema, wanted.columns.label, ANSWERS, "answers", said, "label")
        start = choose_column(schema, "", STARTS, "place of the answer", said)
        return cls(context, question, answers, start, *identify(schema, wanted.columns, said)), said

    def used(self) -> Columns:
        """The columns it reads."""
        return Columns(text=f"{self.context}+{self.question}", label=self.answers, id=self.id, group=self.group)

    def __call__(self, row: Row) -> Shaped:
        """The example of a row.

        Problems: missing-column, missing-value, wrong-type, empty-text, no-answer, wrong-offset, answer-not-in-text.
        """
        found: list[str] = []
        context, question = cell(row, self.context), cell(row, self.question)
        if isinstance(context, Problem):
            return context
        if isinstance(question, Problem):
            return question
        asked = tidy(question, found)
        if not asked or not context.strip():
            return Problem("empty-text", row.place, "the context or the question is empty")
        if "\n" in asked:
            asked = " ".join(asked.split())
            found.append("question-on-one-line")
        given = self._given(row)
        if isinstance(given, Problem):
            return given
        read = tidy(context, found)
        answers: dict[tuple[str, int], None] = {}
        for text, start in given:
            placed = _placed(context, text, start)
            if placed is None:
                name = "answer-not-in-text" if start is None else "wrong-offset"
                where = "" if start is None else f" at character {start}"
                return Problem(name, row.place, f"the answer {text!r:.60} does not stand in the context{where}")
            found += ["mended-offset"] * (start is not None and placed != start)
            moved = _moved(context, placed, text, read)
            if moved is None:
                return Problem(
                    "wrong-offset", row.place, f"the answer {text!r:.60} is lost when the context is cleaned"
                )
            answers[moved] = None
        meta = {**facts(row, self.used()), "starts": [start for _, start in answers]}
        example = Example((Message("user", f"{read}\n\n{asked}"),), tuple(text for text, _ in answers), meta=meta)
        return example, tuple(dict.fromkeys(found))

    def _given(self, row: Row) -> list[tuple[str, int | None]] | Problem:
        value = row.values.get(self.answers)
        if value is None:
            return absent(row, self.answers)
        pairs = _pairs(value, row.values.get(self.start) if self.start else None)
        if pairs is None:
            return Problem("wrong-type", row.place, f"the column '{self.answers}' holds no texts with their places")
        pairs = [(text, start) for text, start in pairs if text.strip()]
        if not pairs or row.values.get("is_impossible") is True:
            reason = "the question has no answer in its context"
            return Problem("no-answer", row.place, reason, "leave out questions without an answer")
        return pairs


def _places(value: Any) -> bool:
    """Whether answers say where they stand."""
    if isinstance(value, list):
        return any(isinstance(one, Mapping) and "answer_start" in one for one in value)
    return isinstance(value, Mapping) and "answer_start" in value


def _pairs(value: Any, start: Any) -> list[tuple[str, int | None]] | None:
    """Texts with their places of any form; None where it is no such form."""
    if isinstance(value, Mapping):
        texts = _listed(value.get("text"), 1)
        starts = _listed(value.get("answer_start"), len(texts))
    elif isinstance(value, list | tuple):
        objects = [one if isinstance(one, Mapping) else {"text": one} for one in value]
        texts = [one.get("text") for one in objects]
        starts = [one.get("answer_start") for one in objects]
    else:
        texts, starts = [value], [start]
    if len(starts) != len(texts):
        return None
    pairs: list[tuple[str, int | None]] = []
    for text, place in zip(texts, starts, strict=True):
        whole = place is None or (isinstance(place, int) and not isinstance(place, bool))
        if not isinstance(text, str) or not whole:
            return None
        pairs.append((text, place))
    return pairs


def _listed(value: Any, times: int) -> list[Any]:
    return value if isinstance(value, list) else [value] * times


def _placed(context: str, text: str, start: int | None) -> int | None:
    """Where the answer stands: at its offset, or once near it, or, without an offset, once at all (or the first)."""
    if start is None:
        at = context.find(text)
        return at if at >= 0 else None
    if start >= 0 and context.startswith(text, start):
        return start
    low = max(0, start - NEAR)
    window = context[low : max(0, start) + NEAR + len(text)]
    return low + window.index(text) if window.count(text) == 1 else None


def _moved(context: str, start: int, text: str, read: str) -> tuple[str, int] | None:
    """The answer and its place in the cleaned context."""
    answer = clean(text).text
    start += len(text) - len(text.lstrip())
    if read == context and read.startswith(answer, start):
        return answer, start
    # Cleaning moves what stands behind it by as much as it changes what stands before it.
    place = len(clean(context[:start] + "|").text) - 1
    return (answer, place) if read.startswith(answer, place) else None
