"""How questions are answered from documents, as a person sets it; light, because every verb's help reads it."""

from dataclasses import dataclass

from dragoman.core.errors import UserError

__all__ = ["INDEX", "Answering"]

INDEX = "index.sqlite"


@dataclass(frozen=True)
class Answering:
    """How questions are answered from documents."""

    k: int = 5
    "The most passages that are looked at."
    sentences: int = 1
    "The most sentences that are quoted, where no model writes."
    short: bool = False
    "Whether the quoted answer is the date, number, name or phrase alone."
    threshold: float | None = None
    """The cosine of the best passage below which a question is said not to be answered by the documents; -1 refuses
    none. Left out, it is the one that dragoman evaluate calibrate=true chose for this index, else 0.35: for
    builtin:minilm that lies between questions on the documents and questions on other things."""
    max_tokens: int = 400
    "The most tokens of an answer that a model writes."
    rerank: str = ""
    """The cross-encoder that rates the best 50 pieces again: a run of objective=reward, a folder or hf:owner/name;
    empty leaves them in the order they were found in."""

    def __post_init__(self) -> None:
        if self.k < 1 or self.sentences < 1 or self.max_tokens < 1:
            raise UserError("k, sentences and max_tokens are at least 1", "leave them out, or say k=5")
