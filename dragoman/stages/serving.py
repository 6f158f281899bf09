"""From words to what a server serves: runs as they were judged, models as they are, and indexes of documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.app.assistant import Assistant
from dragoman.app.opening import streams
from dragoman.app.steps.write import Write
from dragoman.core.doors import Engine, WritingLM
from dragoman.core.errors import UserError
from dragoman.core.runs import Run, all_runs
from dragoman.core.sampling import Sampling
from dragoman.rag.stores.open import is_made
from dragoman.stages.assistants import RAG, Opened, open_assistant, pick
from dragoman.stages.promotions import promoted
from dragoman.stages.runs import folder_of

if TYPE_CHECKING:
    from dragoman.models.engines import Kind
    from dragoman.models.open import WeightsOrAuto
    from dragoman.serve.limits import Limits
    from dragoman.serve.meters import Meters
    from dragoman.serve.served import Lineage, Served

__all__ = ["Opening", "check_named", "open_served", "run_of", "write_with"]

SCHEMES = ("openai", "hf", "builtin", "fake")
PLAIN = 1024  # tokens of an answer where neither a request nor a judgement says how many


@dataclass(frozen=True)
class Opening:
    """How models are opened for a server."""

    device: str = "auto"
    precision: "WeightsOrAuto" = "auto"
    engine: "Kind" = "auto"
    rows: int = 0
    adapters: tuple[str, ...] = ()
    room: int = 0
    "the rank of the thickest adapter that may come while it is served; 0 where none will"
    writer: str = ""
    "who writes answers from an index in its own words; empty quotes them"
    access: tuple[str, ...] = ()
    project: str = ""
    runs: str = ""


def open_served(word: str, how: Opening, limits: "Limits", meters: "Meters", taken: Sequence[str]) -> "list[Served]":
    """What a word names: one model or assistant, and one for each adapter beside it.

    Raises UserError where there is no such thing, or it cannot be served.
    """
    name = _name(word, taken)
    if is_made(word):
        return [_index(name, word, how, limits, meters)]
    if _is_model(word):
        return _model(name, word, how, limits, meters)
    root, made = run_of(word, how)
    return [_run(made.id if made.id not in taken else name, made, root, how, limits, meters)]


def check_named(word: str, how: Opening) -> None:
    """Raise UserError where a word names no run, before anything that takes seconds is loaded."""
    if not is_made(word) and not _is_model(word):
        run_of(word, how)


def run_of(word: str, how: Opening) -> tuple[Path, Run]:
    """The folder of the runs and the run that a word means; without a word, the promoted one or the newest verdict's.

    Raises UserError where there is none.
    """
    if how.adapters:
        raise UserError("a run is served with the adapter it was judged with", "leave out adapter=...")
    root = folder_of(how.project, how.runs, word)
    return root, pick(root, word or promoted(root))


def _is_model(word: str) -> bool:
    return word.partition(":")[0] in SCHEMES or (Path(word) / "config.json").is_file()


def _name(word: str, taken: Sequence[str]) -> str:
    """What it is called: the end of a path or an address, and apart from the others."""
    last = word.partition("#")[2] or word.rstrip("/").rpartition("/")[2].partition(":")[2] or word.rstrip("/")
    last = last.rpartition("/")[2].removesuffix(".sqlite")
    plain = "".join(letter if (letter.isalnum() and letter.isascii()) or letter in "._-" else "-" for letter in last)
    plain = plain.strip("._-") or "model"
    return next(name for name in (plain, *(f"{plain}-{number}" for number in range(2, 99))) if name not in taken)


def _model(name: str, spec: str, how: Opening, limits: "Limits", meters: "Meters") -> "list[Served]":
    from dragoman.serve.served import Lineage, Served

    lineage = Lineage(base=_fingerprint(spec))
    if _embeds(spec):
        from dragoman.models.open import open_embedder
        from dragoman.serve.label import Vectors
        from dragoman.serve.worker import Worker

        embedder = open_embedder(spec, how.device)
        worker = Worker(Vectors(embedder), limits, meters, _gauge(name))
        return [Served(name, "embed", lineage, embedder=embedder, worker=worker)]
    from dragoman.models.engines import open_engine

    folders = [Path(adapter) for adapter in how.adapters]
    engine, lm = open_engine(
        spec,
        folders,
        device=how.device,
        precision=how.precision,
        kind=how.engine,
        rows=how.rows,
        room=how.room,
    )
    task = "chat" if lm.chat else "write"
    base = _writing(name, task, lineage, engine, limits, meters)
    beside = [
        replace(base, name=_name(folder, [name]), adapter=folder, lineage=replace(lineage, adapter=Path(folder).name))
        for folder in how.adapters
    ]
    return [base, *beside]


def _writing(name: str, task: str, lineage: "Lineage", engine: Engine, limits: "Limits", meters: "Meters") -> "Served":
    from dragoman.serve.scheduler import Scheduler
    from dragoman.serve.served import Served

    # A model that is named by itself draws as OpenAI's API says; a run writes as it was judged.
    plain = Sampling(temperature=1.0, max_tokens=min(PLAIN, limits.tokens))
    return Served(name, task, lineage, scheduler=Scheduler(engine, limits, meters, _gauge(name)), written=plain)


def _gauge(name: str) -> str:
    """A name that Prometheus takes."""
    return "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name)


def write_with(assistant: Assistant, served: "Served") -> Assistant:
    """The assistant whose model writes through the server's engine, beside all other requests."""
    from dragoman.serve.engine_lm import EngineLM

    assert served.scheduler is not None
    assert isinstance(assistant.lm, WritingLM)
    return replace(assistant, lm=EngineLM(assistant.lm, served.scheduler, served.adapter))


def _run(name: str, made: Run, root: Path, how: Opening, limits: "Limits", meters: "Meters") -> "Served":
    from dragoman.serve.served import Served
    from dragoman.serve.worker import Worker

    opened = open_assistant(made)
    lineage = _lineage(opened, root)
    assistant = opened.assistant
    if opened.card["kind"] == "writer":
        from dragoman.models.engines import engine_of

        assert isinstance(assistant.lm, WritingLM)
        written = _writing(name, opened.task, lineage, engine_of(assistant.lm, how.engine, how.rows), limits, meters)
        assistant = write_with(assistant, written)
        worker = None if streams(assistant) else Worker(assistant, limits, meters, _gauge(name))
        last = assistant.steps[-1]
        judged = last.how if isinstance(last, Write) else Sampling()
        return replace(written, assistant=assistant, worker=worker, written=judged)
    assistant.answer(["a warm-up"])
    task = "ask" if opened.card["kind"] == RAG else opened.task
    worker = Worker(assistant, limits, meters, _gauge(name))
    return Served(name, task, lineage, assistant=assistant, worker=worker, labels=opened.labels)


def _index(name: str, path: str, how: Opening, limits: "Limits", meters: "Meters") -> "Served":
    from dragoman.serve.served import Lineage, Served
    from dragoman.serve.worker import Worker
    from dragoman.stages.answering import Answering
    from dragoman.stages.shelf import answering, around_of, open_shelf

    shelf = open_shelf(path, how.device)
    lineage = Lineage(data=_told(shelf.store.sources()), base=shelf.facts.embedder)
    if not how.writer:
        assistant = answering(shelf, Answering(), None, how.access, around_of(shelf))
        return Served(
            name,
            "ask",
            lineage,
            assistant=assistant,
            worker=Worker(assistant, limits, meters, _gauge(name)),
        )
    from dragoman.models.engines import open_engine

    engine, lm = open_engine(how.writer, device=how.device, precision=how.precision, kind=how.engine, rows=how.rows)
    written = _writing(name, "ask", replace(lineage, base=_fingerprint(how.writer)), engine, limits, meters)
    assistant = write_with(answering(shelf, Answering(), lm, how.access, around_of(shelf)), written)
    return replace(written, assistant=assistant, worker=Worker(assistant, limits, meters, _gauge(name)))


def _lineage(opened: Opened, root: Path) -> "Lineage":
    """Where a run's answers come from, and what was said of it."""
    from dragoman.serve.served import Lineage

    run, card = opened.run, opened.card
    inputs: Mapping[str, Any] = run.record.get("inputs") or {}
    data = next((str(one.get("sha256", ""))[:16] for key, one in inputs.items() if key == "parts"), "")
    project = (run.results.get("project") or {}).get("scope", {}).get("name", "")
    judged = [one for one in all_runs(root) if one.verb in ("run", "judge") and one.results.get("rung_run") == run.id]
    verdict = str(judged[-1].results.get("verdict", "")) if judged else ""
    return Lineage(
        project=str(project),
        run=run.id,
        base=str(card.get("fingerprint") or card.get("base", ""))[:64],
        adapter=run.verb if card.get("adapter") else "",
        data=data,
        prompt=str((card.get("around") or {}).get("mark", "")),
        verdict=verdict.replace("_", " "),
    )


def _embeds(spec: str) -> bool:
    """Whether a model reads texts and does not write."""
    if spec.partition(":")[0] in ("openai", "fake"):
        return False
    from dragoman.models.source import resolve
    from dragoman.nn.family import FAMILIES
    from dragoman.nn.store import family_of
    from dragoman.nn.weights import read_config

    name = str(read_config(resolve(spec)).get("model_type"))
    return name in FAMILIES.names() and family_of(name).kind == "encoder"


def _fingerprint(spec: str) -> str:
    if spec.partition(":")[0] in ("openai", "fake"):
        return spec.partition("#")[2] or spec
    from dragoman.models.source import fingerprint, resolve

    return fingerprint(resolve(spec))[:16]


def _told(sources: Mapping[str, str]) -> str:
    """A hash of the versions of all documents."""
    import hashlib

    return hashlib.sha256(repr(sorted(sources.items())).encode()).hexdigest()[:16]
