"""The shape of several answers to one prompt with a score or a rank each, as in UltraFeedback (Cui et al., 2023)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

from dragoman.core.project import Columns
from dragoman.core.types import Example
from dragoman.data.columns import Schema, identify
from dragoman.data.dialogue import messages_of
from dragoman.data.problems import Problem, Row
from dragoman.data.shapes.instruct import INPUTS
from dragoman.data.shapes.preference import PROMPTS, number_of, prompt_of
from dragoman.data.shaping import Shaped, Wanted, absent, choose_column, facts, found_column, tidy

__all__ = ["Ranked"]

ANSWERS = ("completions", "responses", "candidates", "generations", "outputs", "answers")
TEXTS = ("response", "text", "content", "answer", "completion", "output", "value")
SCORES = ("overall_score", "score", "rating", "fine-grained_score", "fine_grained_score", "reward")
RANKS = ("rank", "ranking")
SCORE_LISTS = ("scores", "ratings", "rewards", "overall_scores")
RANK_LISTS = ("ranks", "rankings", "ranking")


class _Rated(NamedTuple):
    """An answer with how good it is, higher is better; `scored` is False where that is a rank turned round."""

    text: str
    worth: float
    scored: bool


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best answer of a row against its worst: the pair that people, or a judge, are surest of.

    All pairs of a row, shuffled over batches, would be learnt by heart (Ouyang et al., 2022, 2203.02155). The highest
    score is the best, and the lowest rank. `meta["margin"]` is the difference of the two scores; ranks have none. Where
    all answers are rated alike nothing is rejected: such a row is no pair.
    """

    prompt: str = "prompt"
    "The column with the prompt: a text, a transcript or messages."
    input: str = ""
    "The column with what an instruction is about."
    answers: str = "completions"
    "The column with the list of answers: texts, or objects that hold a text and may hold its score or rank."
    scores: str = ""
    "The column with one score an answer; empty where the answers hold theirs."
    ranks: str = ""
    "The column with one rank an answer, 1 is the best; empty where there are scores."
    id: str = ""
    "The column that identifies a row."
    group: str = ""
    "Rows with the same value here stay together."
    tasks: ClassVar[tuple[str, ...]] = ("chat", "write")

    @classmethod
    def fits(cls, schema: Schema) -> float:
        """Sure where a column of that name holds lists, and scores or ranks stand in or beside them."""
        name = found_column(schema, ANSWERS)
        if not name or not found_column(schema, PROMPTS):
            return 0.0
        lists = [row[name] for row in schema.samples if isinstance(row.get(name), list) and row[name]]
        if 2 * len(lists) <= len(schema.samples):
            return 0.0
        inside = any(_own(one) is not None for value in lists for one in value)
        return 0.97 if inside or _beside(schema, SCORE_LISTS) or _beside(schema, RANK_LISTS) else 0.0

    @classmethod
    def choose(cls, schema: Schema, wanted: Wanted) -> tuple[Self, list[str]]:
        """The columns by their names. Raises UserError where the prompt or the answers are not there."""
        said: list[str] = []
        prompt = choose_column(schema, wanted.columns.text, PROMPTS, "prompt", said, "text")
        about = choose_column(schema, "", INPUTS, "input", said) if prompt.lower() == "instruction" else ""
        answers = choose_column(schema, wanted.columns.label, ANSWERS, "answers", said, "label")
        scores = choose_column(schema, "", _beside(schema, SCORE_LISTS), "scores", said)
        ranks = "" if scores else choose_column(schema, "", _beside(schema, RANK_LISTS), "ranks", said)
        said.append("a row gives one pair: its best answer against its worst")
        return cls(prompt, about, answers, scores, ranks, *identify(schema, wanted.columns, said)), said

    def used(self) -> Columns:
        """The columns it reads."""
        return Columns(text=self.prompt, label=self.answers, id=self.id, group=self.group)

    def __call__(self, row: Row) -> Shaped:
        """The example of a row.

        Problems: missing-column, missing-value, wrong-type, unknown-role, empty-text, no-question, uneven-lists,
        few-answers.
        """
        found: list[str] = []
        prompt = prompt_of(row, self.prompt, self.input, found)
        if isinstance(prompt, Problem):
            return prompt
        if not any(one.role in ("user", "tool") and one.content for one in prompt):
            return Problem("no-question", row.place, "nobody asks before the answers")
        rated = self._rated(row, found)
        if isinstance(rated, Problem):
            return rated
        if len(rated) < 2:
            return Problem("few-answers", row.place, f"{len(rated)} answers have a text and a score; a pair needs two")
        best, worst = max(rated, key=lambda one: one.worth), min(rated, key=lambda one: one.worth)
        meta = facts(row, self.used())
        rejected = worst.text
        if best.worth == worst.worth or best.text == worst.text:
            found.append("tied-answers" if best.worth == worst.worth else "equal-answers")
            rejected = ""
        else:
            found += ["middle-answer"] * (len(rated) > 2)
            meta |= {"margin": best.worth - worst.worth} if best.scored and worst.scored else {}
        return Example(tuple(prompt), (best.text,), rejected, meta), tuple(dict.fromkeys(found))

    def _rated(self, row: Row, found: list[str]) -> list[_Rated] | Problem:
        """The answers of a row that have a text and a number of the kind that the first of them has."""
        answers = row.values.get(self.answers)
        if answers is None:
            return absent(row, self.answers)
        if not isinstance(answers, list):
            reason = f"the column '{self.answers}' holds a {type(answers).__name__}, not a list"
            return Problem("wrong-type", row.place, reason)
        numbers = self._numbers(row, answers)
        if isinstance(numbers, Problem):
            return numbers
        scored = next((one[1] for one in numbers if one), True)
        rated = []
        for one, number in zip(answers, numbers, strict=True):
            text = _text(one, row, found)
            if isinstance(text, Problem):
                return text
            if number is None or number[1] != scored:
                found.append("unrated-answer")
            elif not text:
                found.append("empty-completion")
            else:
                rated.append(_Rated(text, number[0] if scored else -number[0], scored))
        return rated

    def _numbers(self, row: Row, answers: Sequence[Any]) -> list[tuple[float, bool] | None] | Problem:
        """The number of each answer, and whether it is a score; None where it has none."""
        column = self.scores or self.ranks
        if not column:
            return [_own(one) for one in answers]
        beside = row.values.get(column)
        if beside is None:
            return absent(row, column)
        if not isinstance(beside, list) or len(beside) != len(answers):
            held = f"{len(beside)} values" if isinstance(beside, list) else f"a {type(beside).__name__}"
            reason = f"the column '{column}' holds {held} for {len(answers)} answers"
            return Problem("uneven-lists", row.place, reason, "give one number an answer, in a list")
        numbers = [number_of(one) for one in beside]
        return [None if one is None else (one, bool(self.scores)) for one in numbers]


def _beside(schema: Schema, names: Sequence[str]) -> list[str]:
    """Those of the names that are columns of lists: a single number says nothing of several answers."""
    return [name.lower() for name, column in schema.columns.items() if name.lower() in names and column.kinds["list"]]


def _own(answer: Any) -> tuple[float, bool] | None:
    """The number that an answer holds itself, and whether it is a score; None where it holds none."""
    if not isinstance(answer, Mapping):
        return None
    numbers = {name: number_of(answer.get(name)) for name in (*SCORES, *RANKS)}
    return next(((number, name in SCORES) for name, number in numbers.items() if number is not None), None)


def _text(answer: Any, row: Row, found: list[str]) -> str | Problem:
    """The text of an answer: itself, that of an object, or that of the one message it is."""
    value = answer
    if isinstance(value, Mapping):
        value = next((value[name] for name in TEXTS if name in value), None)
    if isinstance(value, list) and value:
        messages = messages_of(value, row.place, found)
        if isinstance(messages, Problem):
            return messages
        if len(messages) == 1 and messages[0].role == "assistant":
            return messages[0].content
    if isinstance(value, str):
        return tidy(value, found)
    reason = f"an answer is a text, or holds one as {TEXTS[0]}, and this is a {type(answer).__name__}"
    return Problem("wrong-type", row.place, reason)
