"""What one wing knows of the other: the protocols through which models, embedders and metrics are used."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Batch, Caps, Chunk, Filter, Hit, Query, Receipt, Verified
from dragoman.core.engine import Asked, Piece
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.types import Answer, Message

__all__ = ["LM", "Embedder", "Engine", "Metric", "Per", "Prompt", "Reward", "Row", "Store", "WritingLM"]

Prompt = Sequence[Message]
Row = NDArray[np.float64]
Per = Literal["sum", "token", "byte"]


@runtime_checkable
class LM(Protocol):
    """A language model, wherever it runs. A classifier is one whose whole vocabulary is its labels."""

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """Write `how.n` completions for each prompt; those of one prompt stand next to each other."""
        ...

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """Write one completion piece by piece, in whole characters."""
        ...

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """The log-probability of each option after each prompt, of shape [prompts, options], in nats.

        Summed over the option's tokens, or divided by their number (`token`) or by the option's UTF-8 bytes (`byte`).
        """
        ...


@runtime_checkable
class WritingLM(LM, Protocol):
    """A language model that was opened to write, with what is to be known before it does."""

    note: str
    "what a person should know of it, such as that it is slow; empty where there is nothing"
    chat: bool
    "whether it takes a dialogue as one: it, or its engine, has a chat template"
    longest: int
    "the tokens it reads, the answer included; 0 where that is not known, and then `ids` does not count"

    def ids(self, prompt: Prompt) -> list[int]:
        """What it reads of a prompt; [] where only its engine knows. Raises UserError where the prompt is empty."""
        ...

    def check(self, prompt: Prompt) -> None:
        """Raise UserError where it is known, before anything is written, that the prompt cannot be answered."""
        ...


class Engine(Protocol):
    """A model that writes many answers at once: requests join and leave between its steps.

    What a request gets does not depend on the others. One thread alone calls `add`, `cancel`, `step` and `close`.
    """

    longest: int
    "the tokens it reads, the answer included; 0 where that is not known"
    chat: bool
    "whether it takes a dialogue as one"
    rows: int
    "the most answers it writes at once; what is added beyond waits in it"

    def count(self, asked: Asked) -> int:
        """The tokens of the prompt, 0 where they are not known; called from any thread.

        Raises UserError where the request is known not to be answerable: an empty prompt, one that is too long, a
        constraint that cannot be kept, an adapter that is not there.
        """
        ...

    def add(self, asked: Asked) -> None:
        """Take a request on. It begins at one of the next steps."""
        ...

    def cancel(self, number: int) -> None:
        """Forget a request: no further piece of it comes. One that is not known is no mistake."""
        ...

    def step(self) -> list[Piece]:
        """Work a little on all that is under way, and give what that added; [] where nothing came of it yet."""
        ...

    def busy(self) -> int:
        """How many requests are under way."""
        ...

    def adapters(self) -> tuple[str, ...]:
        """The adapters that may be named."""
        ...

    def healthy(self) -> bool:
        """Whether it can answer now, as far as is known: an engine elsewhere may be down. Called from any thread."""
        ...

    def close(self) -> None:
        """Let go of the model."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """A model that turns texts into vectors of length 1."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit vector a text, of shape [texts, width], in the order given."""
        ...


@runtime_checkable
class Reward(Protocol):
    """What says how good an answer is: a model that learnt it from people's choices, a classifier, a rule."""

    def rate(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> NDArray[np.float64]:
        """How good each answer is to the prompt beside it, of shape [n]; higher is better. Raises UserError."""
        ...


class Store(Protocol):
    """Pieces of documents that are found again, by vector and by words. A source is there whole or not at all."""

    @property
    def caps(self) -> Caps:
        """What it can do."""
        ...

    def apply(self, batch: Batch) -> Receipt:
        """Put one version of a source in the place of any other, or remove it; the same version again changes nothing.

        Atomic: killed at any instant, all of it is there or none. Raises UserError where the vectors do not fit.
        """
        ...

    def search(self, query: Query) -> list[Hit]:
        """The best pieces by `query.vector`, by `query.text`, or by both apart: each hit says what it scored in which.

        Parents are never found. What the filter or the access list keeps out is never scored.
        """
        ...

    def scan(self, wanted: Filter | None = None) -> Iterator[Chunk]:
        """Every piece, parents included, by source and number."""
        ...

    def sources(self) -> dict[str, str]:
        """The version of each source."""
        ...

    def verify(self) -> Verified:
        """Whether what is held is what the manifest says."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Metric(Protocol):
    """A figure of quality: one answer is measured into a row of numbers, many rows are combined into the figure.

    The split lets any interval come from resampling the rows, with no second pass over the answers.
    """

    higher_is_better: ClassVar[bool]

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """The row of one answer against its accepted answers; every row of a metric has the same width."""
        ...

    def combine(self, rows: Row) -> float:
        """The figure of many rows, of shape [answers, width]."""
        ...
