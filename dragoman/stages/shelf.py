"""An index of documents, opened: its file, what embedded it, what finds pieces in it, and who answers from them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.app.assistant import Assistant, NoModel
from dragoman.app.steps.cite import Cite
from dragoman.app.steps.contradict import Contradict
from dragoman.app.steps.ground import Ground
from dragoman.app.steps.guard import Guard
from dragoman.app.steps.quote import Quote
from dragoman.app.steps.refuse import Refuse
from dragoman.app.steps.retrieve import Retrieve
from dragoman.app.steps.tidy import Tidy
from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.data.chunk import Cutting
from dragoman.data.private import hints
from dragoman.rag.search import Looking, Retriever
from dragoman.rag.store import SqliteStore

if TYPE_CHECKING:
    from dragoman.models.encoder import LocalEncoder

__all__ = ["INDEX", "Answering", "Facts", "Shelf", "answering", "open_embedder_of", "open_shelf"]

INDEX = "index.sqlite"
FACTS = "facts"
MAKE = "make one with: dragoman index DOCUMENTS"


@dataclass(frozen=True, slots=True)
class Facts:
    """What an index was made of and with."""

    places: tuple[str, ...]
    embedder: str
    "the encoder as it was named; empty where pieces are looked for by words alone"
    tokens: int
    overlap: float
    parents: int

    def cutting(self, embedder: "LocalEncoder | None") -> Cutting:
        """How documents are cut, counted in the tokens of what reads them."""
        counter = None if embedder is None else embedder.count
        return Cutting(self.tokens, self.overlap, self.parents, counter)


@dataclass(frozen=True)
class Shelf:
    """An open index."""

    store: SqliteStore
    facts: Facts
    embedder: "LocalEncoder | None"

    def find(self, how: Looking | None = None) -> Retriever:
        """What finds pieces in it."""
        return Retriever(self.store, self.embedder, how or Looking(parents=self.facts.parents > 0))

    def keep(self) -> None:
        """Write down what it was made of and with."""
        self.store.note(FACTS, json.dumps(asdict(self.facts)))


@dataclass(frozen=True)
class Answering:
    """How questions are answered from documents."""

    k: int = 5
    "The most passages that are looked at."
    sentences: int = 1
    "The most sentences that are quoted, where no model writes."
    short: bool = False
    "Whether the quoted answer is the date, number, name or phrase alone."
    threshold: float = 0.35
    """The cosine of the best passage below which a question is said not to be answered by the documents; for
    builtin:minilm 0.35 lies between questions on the documents and questions on other things. -1 refuses none."""
    max_tokens: int = 400
    "The most tokens of an answer that a model writes."

    def __post_init__(self) -> None:
        if self.k < 1 or self.sentences < 1 or self.max_tokens < 1:
            raise UserError("k, sentences and max_tokens are at least 1", "leave them out, or say k=5")


def open_shelf(path: Path, device: str = "auto", sealed: bool = False) -> Shelf:
    """The index in a file; a `sealed` one is a run's, and never written again.

    Raises UserError where there is none, or its embedder is not the one that made it.
    """
    if not path.is_file():
        raise UserError(f"there is no index {path}", MAKE)
    store = SqliteStore(path, sealed=sealed)
    noted = store.noted(FACTS)
    if not noted:
        raise UserError(f"{path} was not finished", "give the same dragoman index command again")
    table = json.loads(noted)
    facts = Facts(**{**table, "places": tuple(table["places"])})
    embedder, name = open_embedder_of(facts.embedder, facts.tokens, device)
    if name != store.space():
        raise UserError(
            f"{facts.embedder} is not the model this index was embedded with",
            "embed it again: give the same dragoman index command",
        )
    return Shelf(store, facts, embedder)


def open_embedder_of(spec: str, tokens: int, device: str = "auto") -> tuple["LocalEncoder | None", str]:
    """What embeds pieces, and its name with what it holds; nothing where pieces are looked for by words alone."""
    if not spec:
        return None, ""
    from dragoman.models.open import open_embedder
    from dragoman.models.source import fingerprint, resolve

    embedder = open_embedder(spec, device)
    if embedder.max_length < tokens:
        raise UserError(
            f"{spec} reads {embedder.max_length} tokens, and pieces may have {tokens}",
            f"make smaller ones: tokens={embedder.max_length * 3 // 4}",
        )
    return embedder, f"{spec}@{fingerprint(resolve(spec))[:16]}"


def answering(shelf: Shelf, how: Answering, lm: LM | None = None, access: Sequence[str] = ()) -> Assistant:
    """Who answers: with sentences of the documents, or, where `lm` writes, with its own, checked against them."""
    seen = frozenset(access)
    steps: list[Any] = [Tidy(), Retrieve(shelf.find(), how.k, access=seen), Refuse(how.threshold)]
    if lm is None:
        quote = Quote(how.sentences, how.short, shelf.embedder)
        return Assistant(NoModel(), (*steps, quote, Contradict()))
    # What a document says may be said, an address that no document holds may not: a model makes those up, or obeys one.
    guarded = Guard(Cite(max_tokens=how.max_tokens), find_personal=hints, documents_may_say=True)
    return Assistant(lm, (*steps, guarded, Ground(), Contradict()))
