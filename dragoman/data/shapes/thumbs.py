"""The shape of single answers with a thumb each, as KTO learns from (Ethayarajh et al., 2024, 2402.01306)."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from dragoman.core.project import Columns
from dragoman.core.types import Example, Message
from dragoman.data.columns import Schema, identify
from dragoman.data.dialogue import messages_of
from dragoman.data.problems import Problem, Row
from dragoman.data.ratings_read import DOWN, UP
from dragoman.data.shapes.chat import MESSAGES
from dragoman.data.shapes.instruct import INPUTS
from dragoman.data.shapes.preference import prompt_of
from dragoman.data.shaping import Shaped, Wanted, absent, choose_column, facts, found_column, tidy

__all__ = ["Thumbs"]

PROMPTS = ("prompt", "instruction", "question", "query")
# Not "answer": a question, an answer and a label are a set to classify, such as WikiQA.
COMPLETIONS = ("completion", "response", "output", "reply")
LABELS = ("label", "thumbs", "thumb", "thumbs_up", "liked", "good", "desirable", "feedback", "kto_tag")


@dataclass(frozen=True, slots=True)
class Thumbs:
    """A dialogue that ends with an answer, or a prompt and a completion, and whether that answer is good.

    `meta["good"]` is True or False; nothing is rejected. An objective other than kto learns bad answers like good ones,
    so they are counted.
    """

    messages: str = "messages"
    "The column with the messages, the last of them the answer; empty where prompt and completion stand apart."
    prompt: str = ""
    "The column with the prompt."
    input: str = ""
    "The column with what an instruction is about."
    completion: str = ""
    "The column with the answer."
    label: str = "label"
    "The column with the thumb: true or false, 1 or 0, up or down, good or bad."
    id: str = ""
    "The column that identifies a row."
    group: str = ""
    "Rows with the same value here stay together."
    tasks: ClassVar[tuple[str, ...]] = ("chat", "write")

    @classmethod
    def fits(cls, schema: Schema) -> float:
        """Sure where answers have their names and every value of the label is a thumb."""
        label = found_column(schema, LABELS)
        if not label or not _is_thumb(schema, label):
            return 0.0
        if _messages(schema):
            return 0.96
        return 0.94 if found_column(schema, PROMPTS) and found_column(schema, COMPLETIONS) else 0.0

    @classmethod
    def choose(cls, schema: Schema, wanted: Wanted) -> tuple[Self, list[str]]:
        """The columns by their names. Raises UserError where the answer or its label is not there."""
        said: list[str] = []
        label = choose_column(schema, wanted.columns.label, LABELS, "thumb", said, "label")
        messages, prompt, about, completion = _messages(schema), "", "", ""
        if messages and wanted.columns.text in ("", messages):
            said.append(f"messages = column '{messages}'")
        else:
            messages = ""
            prompt = choose_column(schema, wanted.columns.text, PROMPTS, "prompt", said, "text")
            about = choose_column(schema, "", INPUTS, "input", said) if prompt.lower() == "instruction" else ""
            completion = choose_column(schema, "", COMPLETIONS, "answer", said, "needed")
        identity, group = identify(schema, wanted.columns, said)
        return cls(messages, prompt, about, completion, label, identity, group), said

    def used(self) -> Columns:
        """The columns it reads."""
        return Columns(text=self.messages or self.prompt, label=self.label, id=self.id, group=self.group)

    def __call__(self, row: Row) -> Shaped:
        """The example of a row.

        Problems: missing-column, missing-value, wrong-type, unknown-role, unknown-thumb, empty-text, empty-answer,
        no-question.
        """
        found: list[str] = []
        value = row.values.get(self.label)
        if value is None:
            return absent(row, self.label)
        word = str(value).strip().lower()
        if word not in UP | DOWN:
            return Problem("unknown-thumb", row.place, f"'{word[:20]}' is neither up nor down", "say true or false")
        parts = self._whole(row, found) if self.messages else self._apart(row, found)
        if isinstance(parts, Problem):
            return parts
        prompt, answer = parts
        if not answer:
            return Problem("empty-answer", row.place, "there is no answer of the assistant that the thumb is about")
        if not any(one.role in ("user", "tool") and one.content for one in prompt):
            return Problem("no-question", row.place, "nobody asks before the answer")
        good = word in UP
        found += ["disliked-answer"] * (not good)
        meta = facts(row, self.used()) | {"good": good}
        return Example(tuple(prompt), (answer,), meta=meta), tuple(dict.fromkeys(found))

    def _whole(self, row: Row, found: list[str]) -> tuple[list[Message], str] | Problem:
        """The messages before the last one, and that one where the assistant says it."""
        if row.values.get(self.messages) is None:
            return absent(row, self.messages)
        messages = messages_of(row.values[self.messages], row.place, found)
        if isinstance(messages, Problem):
            return messages
        answered = bool(messages) and messages[-1].role == "assistant"
        return messages[:-1], messages[-1].content if answered else ""

    def _apart(self, row: Row, found: list[str]) -> tuple[list[Message], str] | Problem:
        """A prompt and its answer from columns of their own."""
        prompt = prompt_of(row, self.prompt, self.input, found)
        if isinstance(prompt, Problem):
            return prompt
        value = row.values.get(self.completion)
        if value is None:
            return absent(row, self.completion)
        if isinstance(value, list) and value:
            messages = messages_of(value, row.place, found)
            if isinstance(messages, Problem):
                return messages
            alone = len(messages) == 1 and messages[0].role == "assistant"
            return prompt, messages[0].content if alone else ""
        if not isinstance(value, str):
            reason = f"the column '{self.completion}' holds a {type(value).__name__}, not a text"
            return Problem("wrong-type", row.place, reason)
        return prompt, tidy(value, found)


def _messages(schema: Schema) -> str:
    """The column that holds lists of messages in most rows; empty where there is none."""
    name = found_column(schema, MESSAGES)
    lists: list[Any] = [row.get(name) for row in schema.samples if isinstance(row.get(name), list)]
    return name if name and 2 * len(lists) > len(schema.samples) else ""


def _is_thumb(schema: Schema, label: str) -> bool:
    """Whether a column holds thumbs and nothing else, by its values of all rows."""
    column = schema.columns[label]
    values = {value.strip().lower() for value in column.values} - {"none"}
    return bool(values) and not column.kinds["list"] and not column.kinds["dict"] and values <= UP | DOWN
