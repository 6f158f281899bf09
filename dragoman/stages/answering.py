"""How questions are answered from documents, as a person sets it; light, because every verb's help reads it."""

from dataclasses import dataclass

from dragoman.core.errors import UserError

__all__ = ["INDEX", "TOOLS", "Answering"]

INDEX = "index.sqlite"
TOOLS = ("search", "calculator", "python", "http")


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
    tools: tuple[str, ...] = ()
    """What the model may use until it answers (ReAct): search, calculator, python (in the sandbox), http; with commas
    between. With any, it looks in the documents itself; none gives it the passages."""
    hosts: tuple[str, ...] = ()
    "The hosts that the tool http may ask; without one it is off."

    def __post_init__(self) -> None:
        for name in ("tools", "hosts"):  # given as one word with commas, or as a list
            split = tuple(one.strip() for word in getattr(self, name) for one in word.split(",") if one.strip())
            object.__setattr__(self, name, split)
        if self.k < 1 or self.sentences < 1 or self.max_tokens < 1:
            raise UserError("k, sentences and max_tokens are at least 1", "leave them out, or say k=5")
        if self.tools and self.threshold is not None:
            problem = "a model with tools looks in the documents itself, and no threshold refuses for it"
            raise UserError(problem, "leave out threshold=, or tools=")
