"""Read documents into one file, from which questions are answered with their sources.

The same command brings it up to date: what has not changed is not embedded again, and what is gone is taken out. Killed
at any instant, it goes on. `dragoman index verify` proves that the file holds what the documents say now.
"""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dragoman.core.errors import UserError
from dragoman.core.guarding import Guards
from dragoman.core.show import Show, Tick, many
from dragoman.core.sizing import show_bytes, show_seconds
from dragoman.rag.stores.open import file_of, is_made, open_store
from dragoman.stages.answering import INDEX
from dragoman.stages.ingest import Ingested, Line, ingest, moved, versions
from dragoman.stages.shelf import Facts, Shelf, keep_guards, open_embedder_of, open_shelf

__all__ = ["PLACES", "SECTIONS", "Settings", "build_index", "run"]

PLACES = ("documents",)
SECTIONS = False
SHOWN = 40  # lines of the table of documents; --json has all
VERIFY = "verify"


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman index`."""

    documents: str = ""
    """What to read: a folder, a file (pdf, docx, html, md, epub, txt, csv, jsonl, py, zip), builtin:stdlib, or several
    with commas; `verify` holds the index against the documents it was made of."""
    index: str = INDEX
    """Where the index lies: a file, or a database: qdrant:URL/COLLECTION, qdrant:FOLDER, lancedb:FOLDER or
    pgvector:postgresql://HOST/NAME#TABLE; passwords come from QDRANT_API_KEY and PGPASSWORD."""
    embedder: str = "builtin:minilm"
    "The encoder that embeds pieces: builtin:minilm, a folder or hf:owner/name; none looks for words alone."
    tokens: int = 200
    "The most tokens of a piece."
    overlap: float = 0.1
    "What a piece repeats of the one before it, in whole sentences, as a share of its tokens."
    parents: int = 0
    "The most tokens of the larger piece that is read where a small one was found; 0 reads the small one."
    device: str = "auto"
    "Where the encoder runs: auto, cpu, cuda or mps."
    engine: str = "auto"
    """What computes it: torch, onnx (ONNX Runtime: fp32, exact, on a CPU) or auto, which is onnx where it is installed
    and the CPU has no bf16."""
    guards: Guards = field(default_factory=Guards)
    "What is kept from a model that answers from this index, and from its answers."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Make an index, bring it up to date, or prove it."""
    path = settings.index
    if settings.documents == VERIFY and not Path(VERIFY).exists():
        return _verify(path, settings.device, show)
    places = tuple(place.strip() for place in settings.documents.split(",") if place.strip())
    if not places and is_made(path):
        shelf = open_shelf(path, settings.device)
        places = shelf.facts.places
        shelf.store.close()  # a folder of Qdrant is held by one at a time
    if not places:
        raise UserError("no documents are named", "name a folder or a file: dragoman index documents/")
    spec = "" if settings.embedder == "none" else settings.embedder
    facts = Facts(places, spec, settings.tokens, settings.overlap, settings.parents)
    begun = time.monotonic()
    with show.board(f"index {_short(path)}") as board:
        with board.step("open") as tick:
            tick(0.5, spec or "by words alone")
            shelf = build_index(path, facts, settings.device, settings.engine)
        with closing(shelf.store), board.step("read") as tick:  # closed, so that all of it stands in the one file
            done = _filled(shelf, settings.device, tick)
            if settings.documents or settings.guards != Guards():
                keep_guards(shelf, settings.guards)
            pieces = sum(1 for _ in shelf.store.scan())
            tick(1.0, f"{many(len(done.lines), 'document')}, {many(pieces, 'piece')}")
    show.table("documents", ("document", "pages", "characters", "pieces", "", "problems"), _rows(done.lines))
    show.card(
        f"index {path}", _card(done, pieces, path, time.monotonic() - begun), mark="bad" if done.unread else "good"
    )
    facts_of = {"index": path, "documents": [asdict(line) for line in done.lines], "removed": done.removed}
    show.result({**facts_of, "pieces": pieces, "embedded": done.embedded, "known": done.known})
    return 0


def build_index(path: str | Path, facts: Facts, device: str = "auto", engine: str = "auto") -> Shelf:
    """The index in a file or a database, made where it is not there, with the settings it is to have from now on."""
    embedder, name = open_embedder_of(facts.embedder, facts.tokens, device, engine)
    file = file_of(path)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    return Shelf(open_store(path, name), facts, embedder)


def _filled(shelf: Shelf, device: str, tick: Tick) -> Ingested:
    """The index up to date: with another encoder all of it is embedded anew before anything else."""
    _, name = open_embedder_of(shelf.facts.embedder, shelf.facts.tokens, device)
    held = shelf.store.space()
    if held != name and shelf.store.sources():
        if not name or not held:
            raise UserError(
                "an index is searched by meaning or by words alone from its beginning on",
                "make another one: index=NAME.sqlite",
            )
        moved(shelf, name, tick)
    shelf.keep()
    return ingest(shelf, tick)


def _verify(path: str, device: str, show: Show) -> int:
    """Hold the index against its own manifest, and against the documents as they are now."""
    shelf = open_shelf(path, device)
    with closing(shelf.store), show.board(f"verify {_short(path)}") as board, board.step("verify") as tick:
        tick(0.1, "reading the index")
        found = shelf.store.verify()
        tick(0.5, "reading the documents")
        now, held = versions(shelf.facts), shelf.store.sources()
    lost = [f"{source}: is not in the index" for source in now.keys() - held.keys()]
    lost += [f"{source}: has changed since" for source in now.keys() & held.keys() if now[source] != held[source]]
    gone = [f"{source}: is there no more, or cannot be read" for source in held.keys() - now.keys()]
    wrong = [*found.problems, *sorted(lost), *sorted(gone)]
    rows = [
        ("sources", f"{found.sources:,}"),
        ("pieces", f"{found.chunks:,}"),
        ("embedded with", found.model or "none"),
    ]
    rows += [("wrong", one) for one in wrong[:SHOWN]]
    rows += [("then", f"dragoman index {','.join(shelf.facts.places)}{_asked(path)}")] if wrong else []
    show.card("the index holds what its documents say" if not wrong else f"{many(len(wrong), 'problem')}", rows,
              mark="bad" if wrong else "good")  # fmt: skip
    show.result({"index": path, "sources": found.sources, "pieces": found.chunks, "problems": wrong})
    return 1 if wrong else 0


def _asked(path: str) -> str:
    """How an index is named behind a verb: not at all where it is the one that is looked for."""
    return "" if path == INDEX else f" index={path}"


def _short(path: str) -> str:
    """What a board says of an index: the name of its file, or its address."""
    file = file_of(path)
    return path if file is None else file.name


def _rows(lines: Sequence[Line]) -> list[tuple[str, ...]]:
    """The table of documents: those with something to say first."""
    order = {"not read": 0, "new": 2, "changed": 2, "unchanged": 3}
    told = sorted(lines, key=lambda line: 1 if line.problems and line.state != "not read" else order[line.state])
    rows: list[tuple[str, ...]] = [
        (
            line.source,
            f"{line.pages:,}" if line.pages else "",
            f"{line.characters:,}",
            f"{line.pieces:,}",
            line.state,
            "; ".join(line.problems),
        )
        for line in told[:SHOWN]
    ]
    more = len(lines) - len(rows)
    return [*rows, (f"and {more:,} more", "", "", "", "", "")] if more > 0 else rows


def _card(done: Ingested, pieces: int, path: str, seconds: float) -> list[tuple[str, str]]:
    count = {state: sum(line.state == state for line in done.lines) for state in ("new", "changed", "unchanged")}
    told = ", ".join(f"{number:,} {state}" for state, number in count.items() if number)
    rows = [("documents", f"{told or 'none'}, {len(done.removed):,} taken out")]
    if done.unread:
        rows.append(("not read", f"{many(len(done.unread), 'document')}: {done.unread[0].source}"))
    rows += [("pieces", f"{pieces:,}; {done.embedded:,} texts embedded, {done.known:,} pieces had a vector")]
    file = file_of(path)
    rows += [("took", show_seconds(seconds) + (f", {show_bytes(file.stat().st_size)} on disk" if file else ""))]
    asked = _asked(path)
    return [*rows, ("then", f'dragoman ask "..."{asked}'), ("", f"dragoman index verify{asked}")]
