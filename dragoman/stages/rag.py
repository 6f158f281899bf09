"""The rung that answers from documents: an index of its own in the run's folder, and who answers from it.

It learns no weight. Sentences of the documents are quoted, or a model writes and is held against them.
"""

import hashlib
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dragoman.app.assistant import Assistant
from dragoman.core import durable
from dragoman.core.config import dump
from dragoman.core.errors import UserError
from dragoman.core.project import Documents, Project
from dragoman.core.runs import Run
from dragoman.core.show import Tick, silent
from dragoman.core.sizing import peak_memory, reset_peak_memory
from dragoman.stages.answering import INDEX
from dragoman.stages.assistants import MODEL, RAG, write_card
from dragoman.stages.documents import answering_of
from dragoman.stages.guarded import identity_of, kept, open_around
from dragoman.stages.index import build_index
from dragoman.stages.ingest import ingest, versions
from dragoman.stages.prepare import part
from dragoman.stages.shelf import Facts, answering, open_embedder_of, open_shelf, ranker_of
from dragoman.stages.writing import instruction_of

__all__ = ["open_rag", "rag"]

AWAY = ("openai:", "fake:")
"models of engines, of which nothing is known but the name"


def rag(project: Project, prepared: Run, tick: Tick = silent) -> Run:
    """The run of the rung: made, or found again where documents, settings and models are the same."""
    wanted = project.documents
    spec = "" if wanted.embedder == "none" else project.place(wanted.embedder)
    facts = Facts(_places(project), spec, wanted.tokens, wanted.overlap, wanted.parents)
    _, name = open_embedder_of(spec, wanted.tokens)
    tick(0.0, "reading the documents")
    now = versions(facts)
    if not now:
        raise UserError(f"{wanted.source} holds no document that can be read", "dragoman index tells why of each file")
    whole = hashlib.sha256(repr(sorted(now.items())).encode()).hexdigest()
    inputs: dict[str, Run | str | Path] = {"parts": prepared, "documents": whole, "embedder": name}
    model, held = _model(project)
    inputs |= {"model": held} if held else {}
    rerank, rates = _rerank(project)
    inputs |= {"rerank": rates} if rates else {}
    settings = {**dump(wanted), "instruction": instruction_of(project), **identity_of(project)}
    run = Run.begin(project.runs_folder, RAG, settings, inputs)
    if run.finished:
        tick(1.0, "found again")
        return run
    card = {"kind": RAG, "labels": [], "multi_label": False, "task": project.scope.task}
    card |= {"documents": {**asdict(wanted), "rerank": rerank}, "rerank": rates, "model": model, "fingerprint": held}
    card["around"] = kept(project, part(prepared, "train"))
    return _built(project, run, facts, card, tick)


def _built(project: Project, run: Run, facts: Facts, card: Mapping[str, Any], tick: Tick) -> Run:
    """Index the documents in the run's folder, and finish the run."""
    begun = time.monotonic()
    reset_peak_memory()
    index = run.folder / "index" / INDEX  # a killed run goes on with what it has embedded
    shelf = build_index(index, facts)
    shelf.keep()
    done = ingest(shelf, tick)
    told = {"documents": [asdict(line) for line in done.lines], "embedded": done.embedded}
    found = shelf.store.verify()
    shelf.store.close()
    if found.problems:
        raise RuntimeError(f"the index does not hold what it says: {found.problems[0]}")

    def fill(stage: Path) -> None:
        (stage / INDEX).write_bytes(index.read_bytes())
        write_card(stage, card)

    durable.publish(run.folder / MODEL, fill)
    shutil.rmtree(index.parent)
    facts_of = {"seconds": time.monotonic() - begun, "memory": peak_memory(), "project": dump(project)}
    facts_of |= {"base": facts.embedder or "words alone", "pieces": found.chunks, **told}
    return run.finish(facts_of, (MODEL,))


def open_rag(folder: Path, card: Mapping[str, Any]) -> Assistant:
    """The assistant of the rung, as it was measured."""
    documents = Documents(**card["documents"])
    lm = None
    if documents.rerank:
        _same(documents.rerank, card["rerank"])
    if card["model"]:
        from dragoman.models.open import open_lm

        if not card["model"].startswith(AWAY):
            _same(card["model"], card["fingerprint"])
        lm = open_lm(card["model"])
    around = open_around(card.get("around", {}))
    return answering(open_shelf(folder / INDEX, sealed=True), answering_of(documents), lm, around=around)


def _model(project: Project) -> tuple[str, str]:
    """Who writes, as found from anywhere, and what it holds; nothing where sentences are quoted."""
    spec = project.documents.model
    if not spec or spec.startswith(AWAY):
        return spec, spec
    from dragoman.models.source import fingerprint, resolve

    placed = project.place(spec)
    placed = str(Path(placed).absolute()) if Path(placed).is_dir() else placed
    return placed, fingerprint(resolve(placed))


def _rerank(project: Project) -> tuple[str, str]:
    """What rates passages again, as found from anywhere, and what it holds; nothing where the order stays."""
    spec = project.documents.rerank
    if not spec:
        return "", ""
    placed = project.place(spec)
    return ranker_of(placed if Path(placed).is_dir() else spec, project.runs_folder)


def _same(spec: str, held: str) -> None:
    """Raise UserError where a model is no more what it was."""
    from dragoman.models.source import fingerprint, resolve

    if fingerprint(resolve(spec)) != held:
        raise UserError(f"{spec} is not the model this run was made with", "make it again: dragoman run")


def _places(project: Project) -> tuple[str, ...]:
    return tuple(project.place(one.strip()) for one in project.documents.source.split(",") if one.strip())
