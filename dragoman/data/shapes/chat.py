"""The shape of a dialogue: everything before the last assistant message is the prompt, that message the answer."""

from dataclasses import dataclass
from typing import ClassVar, Self

from dragoman.core.project import Columns
from dragoman.core.types import Example, Message
from dragoman.data.columns import Schema, identify
from dragoman.data.dialogue import messages_of, tools_of
from dragoman.data.problems import Problem, Row
from dragoman.data.shaping import Shaped, Wanted, absent, choose_column, facts, found_column, tidy

__all__ = ["MESSAGES", "Chat"]

MESSAGES = ("messages", "conversations", "conversation", "dialog", "dialogue", "turns")


@dataclass(frozen=True, slots=True)
class Chat:
    """OpenAI's `messages` or ShareGPT's `conversations`, with the tools that may be called.

    Definitions of tools are written into the system message, a call is an assistant message that holds its JSON, a
    result a message of the role tool. Messages behind the last assistant message are left out and counted.
    """

    messages: str = "messages"
    "The column with the list of messages."
    system: str = ""
    "The column with a system message of its own."
    tools: str = ""
    "The column with the definitions of the tools, a list or JSON text."
    id: str = ""
    "The column that identifies a row."
    group: str = ""
    "Rows with the same value here stay together."
    tasks: ClassVar[tuple[str, ...]] = ("chat", "write", "answer", "summarize", "translate")

    @classmethod
    def fits(cls, schema: Schema) -> float:
        """Sure where a column of that name holds lists of objects."""
        name = found_column(schema, MESSAGES)
        values = [row.get(name) for row in schema.samples]
        lists = [value for value in values if isinstance(value, list) and value and isinstance(value[0], dict)]
        texts = [value for value in values if isinstance(value, str) and value.lstrip().startswith("[{")]
        return 0.93 if name and 2 * (len(lists) + len(texts)) > len(values) else 0.0

    @classmethod
    def choose(cls, schema: Schema, wanted: Wanted) -> tuple[Self, list[str]]:
        """The columns by their names. Raises UserError where none holds messages."""
        said: list[str] = []
        messages = choose_column(schema, wanted.columns.text, MESSAGES, "messages", said, "text")
        system = choose_column(schema, "", ("system", "system_prompt"), "system", said)
        tools = choose_column(schema, "", ("tools", "functions"), "tools", said)
        return cls(messages, system, tools, *identify(schema, wanted.columns, said)), said

    def used(self) -> Columns:
        """The columns it reads."""
        return Columns(text=self.messages, id=self.id, group=self.group)

    def __call__(self, row: Row) -> Shaped:
        """The example of a dialogue.

        Problems: missing-column, wrong-type, not-text, broken-json, unknown-role, no-answer, no-question, empty-answer.
        """
        found: list[str] = []
        if row.values.get(self.messages) is None:
            return absent(row, self.messages)
        messages = messages_of(row.values[self.messages], row.place, found)
        if isinstance(messages, Problem):
            return messages
        system = self._system(row, found)
        if isinstance(system, Problem):
            return system
        if system:
            own = [one.content for one in messages if one.role == "system"]
            rest = [one for one in messages if one.role != "system"]
            messages = [Message("system", "\n\n".join([*own, *system])), *rest]
        spoken = [index for index, one in enumerate(messages) if one.role == "assistant"]
        if not spoken:
            return Problem("no-answer", row.place, "no assistant speaks: there is nothing to learn")
        last = spoken[-1]
        if not messages[last].content:
            return Problem("empty-answer", row.place, "the last message of the assistant is empty")
        if not any(one.role in ("user", "tool") and one.content for one in messages[:last]):
            return Problem("no-question", row.place, "nobody speaks before the assistant")
        if last + 1 < len(messages):
            found.append("unanswered-turn")
        meta = facts(row, self.used())
        if isinstance(row.values.get("label"), bool):
            meta["liked"] = row.values["label"]
            found += ["disliked-answer"] * (not row.values["label"])
        return Example(tuple(messages[:last]), (messages[last].content,), meta=meta), tuple(dict.fromkeys(found))

    def _system(self, row: Row, found: list[str]) -> list[str] | Problem:
        """What the system says besides its messages: a column of its own, and the tools."""
        parts = []
        value = row.values.get(self.system) if self.system else None
        if isinstance(value, str):
            parts.append(tidy(value, found))
        elif value is not None:
            return Problem("wrong-type", row.place, f"the column '{self.system}' holds no text")
        tools = tools_of(row.values.get(self.tools), row.place) if self.tools else ""
        if isinstance(tools, Problem):
            return tools
        return [part for part in [*parts, tools] if part]
