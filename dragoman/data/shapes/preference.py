"""The shape of two answers to one prompt, of which people preferred one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from dragoman.core.project import Columns
from dragoman.core.types import Example, Message
from dragoman.data.columns import Schema, identify
from dragoman.data.dialogue import messages_of, one_message, transcript
from dragoman.data.problems import Problem, Row
from dragoman.data.shapes.instruct import INPUTS, instruction_of
from dragoman.data.shaping import Shaped, Wanted, absent, choose_column, facts, found_column, tidy

__all__ = ["PROMPTS", "Preference", "number_of", "prompt_of"]

PROMPTS = ("prompt", "conversations", "messages", "instruction", "question", "query", "input")
CHOSEN = ("chosen", "preferred", "accepted")
REJECTED = ("rejected", "dispreferred")
CHOSEN_SCORES = ("score_chosen", "chosen_score", "chosen_rating", "rating_chosen", "chosen-rating", "chosen_reward")
REJECTED_SCORES = tuple(name.replace("chosen", "rejected") for name in CHOSEN_SCORES)
MARGINS = ("margin", "score_margin", "score_difference")
APART = "the two dialogues part before the last answer"


@dataclass(frozen=True, slots=True)
class Preference:
    """A prompt, a chosen and a rejected answer: texts, messages, or two whole dialogues that begin alike.

    Where the row has a score of each, or says by how much the chosen one is better, `meta["margin"]` is the difference.
    """

    prompt: str = "prompt"
    "The column with the prompt; empty where chosen and rejected are whole dialogues."
    input: str = ""
    "The column with what an instruction is about."
    chosen: str = "chosen"
    "The column with the better answer."
    rejected: str = "rejected"
    "The column with the worse one."
    id: str = ""
    "The column that identifies a row."
    group: str = ""
    "Rows with the same value here stay together."
    chosen_score: str = ""
    "The column with the score of the better answer."
    rejected_score: str = ""
    "The column with the score of the worse one."
    margin: str = ""
    "The column that says by how much the better answer is better."
    tasks: ClassVar[tuple[str, ...]] = ("chat", "write")

    @classmethod
    def fits(cls, schema: Schema) -> float:
        """Sure where both answers have their names."""
        return 0.98 if found_column(schema, CHOSEN) and found_column(schema, REJECTED) else 0.0

    @classmethod
    def choose(cls, schema: Schema, wanted: Wanted) -> tuple[Self, list[str]]:
        """The columns by their names. Raises UserError where chosen or rejected is not there."""
        said: list[str] = []
        chosen = choose_column(schema, wanted.columns.label, CHOSEN, "chosen", said, "label")
        rejected = choose_column(schema, "", REJECTED, "rejected", said, "needed")
        prompt = choose_column(schema, wanted.columns.text, PROMPTS, "prompt", said)
        about = choose_column(schema, "", INPUTS, "input", said) if prompt.lower() == "instruction" else ""
        scores = (
            choose_column(schema, "", CHOSEN_SCORES, "chosen score", said),
            choose_column(schema, "", REJECTED_SCORES, "rejected score", said),
        )
        margin = "" if all(scores) else choose_column(schema, "", MARGINS, "margin", said)
        if not prompt:
            said.append("the prompt is what the two dialogues share")
        identity, group = identify(schema, wanted.columns, said)
        return cls(prompt, about, chosen, rejected, identity, group, scores[0], scores[1], margin), said

    def used(self) -> Columns:
        """The columns it reads."""
        return Columns(text=self.prompt, label=self.chosen, id=self.id, group=self.group)

    def __call__(self, row: Row) -> Shaped:
        """The example of a row.

        Problems: missing-column, wrong-type, unknown-role, empty-text, empty-answer, no-question, no-shared-prompt.
        """
        found: list[str] = []
        dialogues: list[list[Message]] = []
        for name in (self.chosen, self.rejected):
            held = _dialogue(row, name, found)
            if isinstance(held, Problem):
                return held
            dialogues.append(held)
        prompt: Sequence[Message] | Problem = prompt_of(row, self.prompt, self.input, found) if self.prompt else []
        if isinstance(prompt, Problem):
            return prompt
        better, worse = dialogues
        shared = _shared(better, worse)
        # Both may repeat the prompt that has a column of its own.
        before = better[:shared] if len(better) > 1 or not prompt else []
        if prompt and before and list(prompt) != before[: len(prompt)]:
            before = [*prompt, *before]
        prompt = before or prompt
        if len(better) != shared + 1 or len(worse) != shared + 1:
            return Problem("no-shared-prompt", row.place, APART, "give chosen and rejected the same prompt")
        answers = better[-1], worse[-1]
        if any(one.role != "assistant" or not one.content for one in answers):
            return Problem("empty-answer", row.place, "an answer is empty, or is not the assistant's")
        if not any(one.role in ("user", "tool") and one.content for one in prompt):
            return Problem("no-question", row.place, "nobody asks before the two answers")
        if answers[0] == answers[1]:
            found.append("equal-answers")
        meta = facts(row, self.used()) | self._margin(row, found)
        example = Example(tuple(prompt), (answers[0].content,), answers[1].content, meta)
        return example, tuple(dict.fromkeys(found))

    def _margin(self, row: Row, found: list[str]) -> dict[str, float]:
        """By how much the chosen answer is better, where the row says so in numbers."""
        better, worse = (number_of(row.values.get(name)) for name in (self.chosen_score, self.rejected_score))
        margin = number_of(row.values.get(self.margin)) if better is None or worse is None else better - worse
        if margin is not None and margin < 0:
            found.append("scores-disagree")
            return {}
        return {} if margin is None else {"margin": margin}


def prompt_of(row: Row, column: str, about: str, found: list[str]) -> list[Message] | Problem:
    """The messages of a prompt: a list of them, a transcript, or a text with what it is about in a column beside it."""
    value = row.values.get(column)
    if isinstance(value, list):
        return messages_of(value, row.place, found)
    if isinstance(value, str) and (spoken := transcript(value, found)):
        return [one for one in spoken if one.content]  # it may end with "Assistant:"
    text = instruction_of(row, column, about, found)
    return text if isinstance(text, Problem) else [Message("user", text)]


def number_of(value: Any) -> float | None:
    """A finite number, also where it is written as a text; None for anything else, such as "N/A"."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _dialogue(row: Row, column: str, found: list[str]) -> list[Message] | Problem:
    """One side: a text is one message of the assistant, unless it is a transcript."""
    value: Any = row.values.get(column)
    if value is None:
        return absent(row, column)
    if isinstance(value, list) and value:
        return messages_of(value, row.place, found)
    if isinstance(value, dict):
        message = one_message(value, row.place, found)
        return message if isinstance(message, Problem) else [message]
    if not isinstance(value, str):
        return Problem("wrong-type", row.place, f"the column '{column}' holds a {type(value).__name__}, not a text")
    return transcript(value, found) or [Message("assistant", tidy(value, found))]


def _shared(one: Sequence[Message], other: Sequence[Message]) -> int:
    """How many messages two dialogues share at their beginning, their last ones left aside."""
    most = min(len(one), len(other)) - 1
    return next((index for index in range(most) if one[index] != other[index]), max(most, 0))
