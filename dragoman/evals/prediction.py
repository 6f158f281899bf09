"""One answered row: the text, what is true, what was answered; and its form in predictions.jsonl."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dragoman.core.types import Answer, Example

__all__ = ["Prediction"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A row of a data set with the answer an assistant gave."""

    id: str
    text: str
    references: tuple[str, ...]
    answer: Answer
    group: str = ""
    kind: str = "classify"

    @staticmethod
    def of(number: int, example: Example, answer: Answer, kind: str = "classify") -> "Prediction":
        """The prediction for an example; without an id of its own it is known by its number."""
        known = str(example.meta.get("id", "") or number)
        return Prediction(known, example.text, example.answers, answer, str(example.meta.get("group", "") or ""), kind)

    @property
    def right(self) -> bool:
        """Whether exactly the true labels were chosen; of a text, whether it is one of the references."""
        if self.kind == "tag":
            return self.answer.labels == self.references
        if self.kind != "classify":
            return self.answer.text.strip() in {text.strip() for text in self.references}
        return set(self.labels) == set(self.references)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels chosen, or the text where the answer is only text."""
        text = self.answer.text.strip()
        return self.answer.labels or ((text,) if text else ())

    @property
    def confidence(self) -> float:
        """The probability the answer gives to its own choice; over several labels, the mean; 0 where it gives none."""
        scores = self.answer.scores
        if not scores:
            return 0.0
        if len(self.labels) == 1 and abs(sum(scores.values()) - 1.0) < 1e-6:
            return float(scores.get(self.labels[0], 0.0))
        sides = [value if label in self.labels else 1.0 - value for label, value in scores.items()]
        return float(sum(sides) / len(sides))

    def to_row(self) -> dict[str, Any]:
        """JSON types, one line of predictions.jsonl."""
        return {
            "id": self.id,
            "text": self.text,
            "references": list(self.references),
            "answer": self.answer.text,
            "labels": list(self.answer.labels),
            "scores": dict(self.answer.scores),
            "right": self.right,
            "group": self.group,
            **({} if self.kind == "classify" else {"finish": self.answer.finish, "tokens": self.answer.tokens}),
        }

    @staticmethod
    def from_row(row: Mapping[str, Any], kind: str = "classify") -> "Prediction":
        """The prediction of one line of predictions.jsonl."""
        ended = (str(row.get("finish", "")), int(row.get("tokens", 0)))
        answer = Answer(row["answer"], tuple(row["labels"]), dict(row["scores"]), *ended)
        return Prediction(row["id"], row["text"], tuple(row["references"]), answer, row.get("group", ""), kind)
