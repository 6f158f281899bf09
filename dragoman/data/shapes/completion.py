"""The shape of a prompt and its completion, one text each or a list of messages each, as OpenAI has them."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from dragoman.core.project import Columns
from dragoman.core.types import Example, Message
from dragoman.data.columns import Schema, identify
from dragoman.data.dialogue import messages_of
from dragoman.data.problems import Problem, Row
from dragoman.data.shaping import Shaped, Wanted, answers_of, cell, choose_column, facts, found_column, tidy

__all__ = ["Completion"]

PROMPTS = ("prompt", "question", "query", "input", "source", "instruction", "problem", "text")
COMPLETIONS = (
    "completion", "response", "answer", "answers", "output", "target", "solution", "reply", "best_answer",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Completion:
    """A prompt and what comes behind it; several completions are several answers that are right."""

    prompt: str = "prompt"
    "The column with the prompt; two joined by + make one, with a blank line between them."
    completion: str = "completion"
    "The column with the answer, or a list of answers."
    id: str = ""
    "The column that identifies a row."
    group: str = ""
    "Rows with the same value here stay together."
    tasks: ClassVar[tuple[str, ...]] = ("write", "chat", "answer", "summarize", "translate")

    @classmethod
    def fits(cls, schema: Schema) -> float:
        """High where both have their names, unless the few answers that come back are labels."""
        prompt, completion = found_column(schema, PROMPTS), found_column(schema, COMPLETIONS)
        if not prompt or not completion:
            return 0.0
        if schema.columns[completion].repeated():
            return 0.3
        return 0.9 if completion.lower() == "completion" else 0.6

    @classmethod
    def choose(cls, schema: Schema, wanted: Wanted) -> tuple[Self, list[str]]:
        """The columns by their names; a context is read before its question. Raises UserError where one is missing."""
        said: list[str] = []
        context = found_column(schema, ("context", "passage"))
        prompt = choose_column(schema, wanted.columns.text, PROMPTS, "prompt", said, "text")
        if not wanted.columns.text and context:
            prompt = f"{context}+{prompt}"
            said[-1] = f"prompt = columns '{prompt}', joined (data.columns.text=NAME takes one of them)"
        completion = choose_column(schema, wanted.columns.label, COMPLETIONS, "answer", said, "label")
        return cls(prompt, completion, *identify(schema, wanted.columns, said)), said

    def used(self) -> Columns:
        """The columns it reads."""
        return Columns(text=self.prompt, label=self.completion, id=self.id, group=self.group)

    def __call__(self, row: Row) -> Shaped:
        """The example of a row. Problems: missing-column, missing-value, wrong-type, empty-text, empty-answer, and
        those of messages."""
        found: list[str] = []
        asked = self._asked(row, found)
        if isinstance(asked, Problem):
            return asked
        answers = self._answers(row, found)
        if isinstance(answers, Problem):
            return answers
        return Example(asked, answers, meta=facts(row, self.used())), tuple(dict.fromkeys(found))

    def _asked(self, row: Row, found: list[str]) -> tuple[Message, ...] | Problem:
        if _is_dialogue(row.values.get(self.prompt)):
            messages = messages_of(row.values[self.prompt], row.place, found)
            if isinstance(messages, Problem):
                return messages
            empty = not any(one.content for one in messages if one.role == "user")
            return Problem("no-question", row.place, "no user speaks in the prompt") if empty else tuple(messages)
        parts = []
        for name in [self.prompt] if self.prompt in row.values else self.prompt.split("+"):
            text = cell(row, name)
            if isinstance(text, Problem):
                return text
            parts.append(tidy(text, found))
        if not any(parts):
            return Problem("empty-text", row.place, f"the column '{self.prompt}' is empty")
        return (Message("user", "\n\n".join(part for part in parts if part)),)

    def _answers(self, row: Row, found: list[str]) -> tuple[str, ...] | Problem:
        value = row.values.get(self.completion)
        if not _is_dialogue(value):
            return answers_of(row, self.completion, found)
        messages = messages_of(value, row.place, found)
        if isinstance(messages, Problem):
            return messages
        if len(messages) != 1 or messages[0].role != "assistant" or not messages[0].content:
            reason = (
                f"the column '{self.completion}' holds {len(messages)} messages where one of the assistant is meant"
            )
            return Problem("no-answer", row.place, reason)
        return (messages[0].content,)


def _is_dialogue(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)
