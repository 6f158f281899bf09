"""The shape of instructions with an answer each, as in Alpaca (Taori et al., 2023) and Dolly."""

from dataclasses import dataclass
from typing import ClassVar, Self

from dragoman.core.project import Columns
from dragoman.core.types import Example, Message
from dragoman.data.columns import Schema, identify
from dragoman.data.problems import Problem, Row
from dragoman.data.shaping import Shaped, Wanted, answers_of, cell, choose_column, facts, found_column, tidy

__all__ = ["INPUTS", "Instruct", "instruction_of"]

INSTRUCTIONS = ("instruction", "instructions")
INPUTS = ("input", "context", "inputs")
OUTPUTS = ("output", "response", "answer", "completion", "outputs")


@dataclass(frozen=True, slots=True)
class Instruct:
    """One user message (the instruction, a blank line, the input where there is one) and one answer."""

    instruction: str = "instruction"
    "The column with the instruction."
    input: str = "input"
    "The column with what the instruction is about; empty, or empty in a row, where there is nothing."
    output: str = "output"
    "The column with the answer, or a list of answers."
    system: str = ""
    "The column with a system message."
    history: str = ""
    "The column with earlier turns, a list of pairs."
    id: str = ""
    "The column that identifies a row."
    group: str = ""
    "Rows with the same value here stay together."
    tasks: ClassVar[tuple[str, ...]] = ("chat", "write", "answer", "summarize", "translate")

    @classmethod
    def fits(cls, schema: Schema) -> float:
        """Sure where both an instruction and an answer have their names."""
        return 0.95 if found_column(schema, INSTRUCTIONS) and found_column(schema, OUTPUTS) else 0.0

    @classmethod
    def choose(cls, schema: Schema, wanted: Wanted) -> tuple[Self, list[str]]:
        """The columns by their names. Raises UserError where the instruction or the answer is not there."""
        said: list[str] = []
        instruction = choose_column(schema, wanted.columns.text, INSTRUCTIONS, "instruction", said, "text")
        about = "" if "+" in wanted.columns.text else choose_column(schema, "", INPUTS, "input", said)
        output = choose_column(schema, wanted.columns.label, OUTPUTS, "answer", said, "label")
        system = choose_column(schema, "", ("system", "system_prompt"), "system", said)
        history = choose_column(schema, "", ("history",), "history", said)
        return cls(instruction, about, output, system, history, *identify(schema, wanted.columns, said)), said

    def used(self) -> Columns:
        """The columns it reads."""
        text = f"{self.instruction}+{self.input}" if self.input else self.instruction
        return Columns(text=text, label=self.output, id=self.id, group=self.group)

    def __call__(self, row: Row) -> Shaped:
        """The example of a row. Problems: missing-column, missing-value, wrong-type, empty-text, empty-answer."""
        found: list[str] = []
        asked = instruction_of(row, self.instruction, self.input, found)
        if isinstance(asked, Problem):
            return asked
        answers = answers_of(row, self.output, found)
        if isinstance(answers, Problem):
            return answers
        before = self._before(row, found)
        if isinstance(before, Problem):
            return before
        example = Example((*before, Message("user", asked)), answers, meta=facts(row, self.used()))
        return example, tuple(dict.fromkeys(found))

    def _before(self, row: Row, found: list[str]) -> list[Message] | Problem:
        """The system message and the earlier turns."""
        messages = []
        system = row.values.get(self.system) if self.system else None
        if isinstance(system, str) and system.strip():
            messages.append(Message("system", tidy(system, found)))
        turns = row.values.get(self.history) if self.history else None
        for turn in turns if isinstance(turns, list) else []:
            if not isinstance(turn, list) or len(turn) != 2 or not all(isinstance(said, str) for said in turn):
                reason = f"the column '{self.history}' holds no list of pairs of texts"
                return Problem("wrong-type", row.place, reason)
            asked, answered = turn
            messages += [Message("user", tidy(asked, found)), Message("assistant", tidy(answered, found))]
        return messages


def instruction_of(row: Row, instruction: str, about: str, found: list[str]) -> str | Problem:
    """The instruction, and behind a blank line what it is about, where that column has something in this row."""
    text = cell(row, instruction)
    if isinstance(text, Problem):
        return text
    text = tidy(text, found)
    if not text:
        return Problem("empty-text", row.place, f"the column '{instruction}' is empty")
    value = row.values.get(about) if about else None
    if value is None:
        return text
    if not isinstance(value, str):
        return Problem("wrong-type", row.place, f"the column '{about}' holds a {type(value).__name__}, not a text")
    more = tidy(value, found)
    return f"{text}\n\n{more}" if more else text
