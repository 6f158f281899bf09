"""An index of documents, opened: its file, what embedded it, what finds pieces in it, and who answers from them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.app.assistant import Assistant, NoModel
from dragoman.app.steps.cite import Cite
from dragoman.app.steps.contradict import Contradict
from dragoman.app.steps.ground import Ground
from dragoman.app.steps.quote import Quote
from dragoman.app.steps.refuse import Refuse
from dragoman.app.steps.retrieve import Retrieve
from dragoman.app.steps.tidy import Tidy
from dragoman.core.config import build, dump
from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.core.guarding import Guards, Prompting
from dragoman.core.project import Project
from dragoman.data.chunk import Cutting
from dragoman.rag.search import Looking, Rate, Retriever
from dragoman.rag.stores.open import DocumentStore, file_of, is_made, open_store
from dragoman.stages.answering import Answering
from dragoman.stages.guarded import Around, kept, open_around

if TYPE_CHECKING:
    from dragoman.models.encoder import LocalEncoder

__all__ = [
    "REFUSAL",
    "Facts",
    "Shelf",
    "Threshold",
    "answering",
    "around_of",
    "guards_of",
    "keep_guards",
    "open_embedder_of",
    "open_shelf",
    "ranked",
    "ranker_of",
    "threshold_of",
]

FACTS = "facts"
GUARDS = "guards"
REFUSAL = "refusal"
"the note of an index on its calibrated threshold"
DEFAULT = 0.35
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

    store: DocumentStore
    facts: Facts
    embedder: "LocalEncoder | None"
    rate: Rate | None = None
    "what rates again what was found; None leaves the order"

    def find(self, how: Looking | None = None) -> Retriever:
        """What finds pieces in it."""
        return Retriever(self.store, self.embedder, how or Looking(parents=self.facts.parents > 0), self.rate)

    def keep(self) -> None:
        """Write down what it was made of and with."""
        self.store.note(FACTS, json.dumps(asdict(self.facts)))


@dataclass(frozen=True, slots=True)
class Threshold:
    """Below which surety a question is refused, and who said so."""

    value: float
    origin: str
    "`given`, `calibrated` on questions, or `default`"
    questions: int = 0
    "on how many it was calibrated"

    @property
    def said(self) -> str:
        """Who said so: `calibrated on 90 questions`."""
        return f"{self.origin} on {self.questions:,} questions" if self.questions else self.origin


def open_shelf(path: str | Path, device: str = "auto", sealed: bool = False) -> Shelf:
    """The index in a file or a database; a `sealed` file is a run's, and never written again.

    Raises UserError where there is none, or its embedder is not the one that made it.
    """
    if not is_made(path):
        raise UserError(f"there is no index {path}", MAKE)
    store = open_store(path, sealed=sealed)
    try:
        return _read(path, store, device)
    except BaseException:
        store.close()
        raise


def _read(path: str | Path, store: DocumentStore, device: str) -> Shelf:
    """The index that a store holds."""
    noted = store.noted(FACTS)
    if not noted:
        if file_of(path) is None:
            raise UserError(f"{path} holds no index", f"make one with: dragoman index DOCUMENTS index={path}")
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


def open_embedder_of(
    spec: str, tokens: int, device: str = "auto", engine: str = "auto"
) -> tuple["LocalEncoder | None", str]:
    """What embeds pieces, and its name with what it holds; nothing where pieces are looked for by words alone."""
    if not spec:
        return None, ""
    from dragoman.models.open import open_embedder
    from dragoman.models.source import fingerprint, resolve

    embedder = open_embedder(spec, device, engine=engine)
    if embedder.max_length < tokens:
        raise UserError(
            f"{spec} reads {embedder.max_length} tokens, and pieces may have {tokens}",
            f"make smaller ones: tokens={embedder.max_length * 3 // 4}",
        )
    return embedder, f"{spec}@{fingerprint(resolve(spec))[:16]}"


def threshold_of(shelf: Shelf, how: Answering) -> Threshold:
    """The threshold in force: the one that is given, else the one calibrated on this index and its embedder."""
    if how.threshold is not None:
        return Threshold(how.threshold, "given")
    noted = shelf.store.noted(REFUSAL)
    table = json.loads(noted) if noted else {}
    space = shelf.store.space()
    # Cosines are those of the embedder, however they are ordered; without one the scores are the reranker's.
    if table and table["space"] == space and (space or table["rerank"] == how.rerank):
        return Threshold(float(table["threshold"]), "calibrated", int(table["questions"]))
    return Threshold(DEFAULT, "default")


def answering(
    shelf: Shelf, how: Answering, lm: LM | None = None, access: Sequence[str] = (), around: Around | None = None
) -> Assistant:
    """Who answers: with sentences of the documents, or, where `lm` writes, with its own, checked against them; with
    the prompt and the guards that stand around it."""
    around = around or Around()
    shelf = ranked(shelf, how.rerank)
    find = around.found(shelf.find())
    if how.tools:
        from dragoman.stages.acting import acting

        if lm is None:
            raise UserError("no model uses the tools: the documents are quoted", "name one that writes: model=...")
        return Assistant(lm, (Tidy(), *around.told, around.cited(acting(find, how, access))))
    steps: list[Any] = [Tidy(), *around.told, Retrieve(find, how.k, access=frozenset(access))]
    steps.append(Refuse(threshold_of(shelf, how).value))
    if lm is None:
        quote = around.quoted(Quote(how.sentences, how.short, shelf.embedder))
        return Assistant(NoModel(), (*steps, quote, Contradict()))
    return Assistant(lm, (*steps, around.cited(Cite(max_tokens=how.max_tokens)), Ground(), Contradict()))


def ranked(shelf: Shelf, spec: str, device: str = "auto") -> Shelf:
    """The index with what rates again what is found in it; as it was where `spec` is empty or it has one already.

    Raises UserError as `ranker_of` and `open_cross_encoder`.
    """
    if not spec or shelf.rate is not None:
        return shelf
    from dragoman.models.cross_encoder import open_cross_encoder

    return replace(shelf, rate=open_cross_encoder(ranker_of(spec)[0], device).rate)


def ranker_of(spec: str, runs: Path | None = None) -> tuple[str, str]:
    """Where a model lies that rates passages again, as found from anywhere, and what it holds.

    A run of that name is looked for in `runs`, or in the folder `runs` here. Raises UserError where there is none.
    """
    from dragoman.models.rewards import Named
    from dragoman.models.source import fingerprint, resolve

    root = runs or Path("runs")
    folder = Named("", spec).folder(root if root.is_dir() else None)
    placed = str(Path(folder).absolute()) if Path(folder).is_dir() else folder
    return placed, fingerprint(resolve(placed))


def keep_guards(shelf: Shelf, guards: Guards) -> None:
    """Write into an index which guards stand around the answers from it."""
    shelf.store.note(GUARDS, json.dumps(dump(guards)))


def around_of(shelf: Shelf, guards: Guards | None = None, prompt: Prompting | None = None) -> Around:
    """What stands around the answers from an index: the guards that it keeps, with those that are said laid over them,
    and a prompt. Raises UserError where one cannot be opened."""
    said = guards_of(shelf, guards or Guards())
    return open_around(kept(Project(prompt=prompt or Prompting(), guards=said)))


def guards_of(shelf: Shelf, said: Guards) -> Guards:
    """The guards that an index keeps, with those that are said now laid over them.

    A guard is added or set otherwise this way, and never switched off: a value that is the default counts as not said,
    so what an index was measured with holds whoever asks. To be without it the index is made again without it.
    """
    noted = shelf.store.noted(GUARDS)
    kept = build(Guards, json.loads(noted) if noted else {}, "guards")
    plain = Guards()
    own = [(one.name, getattr(said, one.name)) for one in fields(Guards)]
    return replace(kept, **{name: value for name, value in own if value != getattr(plain, name)})
