"""Gathers what an app is served from: the run's model, models it stands on, its record and its verdict."""

import json
import platform
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman import __version__
from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.core.runs import Run, all_runs
from dragoman.data.private import SECRETS, hints
from dragoman.stages.assistants import CARD, MODEL, RAG, size_mb
from dragoman.stages.export_files import FILES, App, memory_of, write_files
from dragoman.stages.exported import BESIDE
from dragoman.stages.model_card import pathless, public_base

__all__ = ["Gathered", "check_place", "gather", "write_app"]

SPECS = (
    ("base", ("base",)),
    ("writer", ("model",)),
    ("rerank", ("documents", "rerank")),
    ("topic", ("around", "topic", "embedder")),
    ("toxicity", ("around", "toxicity", "folder")),
)
"models that a card names, and the folder that each is copied to"
ANYWHERE = ("openai", "fake", "builtin")
"schemes of models that are found from any folder"
ASKED: Mapping[str, tuple[str, dict[str, Any]]] = {
    "tagger": ("/v1/tag", {"input": "a text"}),
    "extractor": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "What is it?\n\nIt is a text."}]}),
    "writer": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 16}),
    RAG: ("/v1/ask", {"question": "What is told here?"}),
}
"what the smoke test asks, by the kind of assistant; what is not here labels texts"
READ = (".json", ".jsonl", ".md", ".txt", ".toml", ".jinja")
WORDS = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", durable.MANIFEST)
"files of pieces of words and of hashes, in which anything may look like a secret"
AGAIN = "make it again with the command that made it: dragoman run"


@dataclass(frozen=True)
class Gathered:
    """What is copied of a run, before anything is written."""

    made: Run
    judged: Run | None
    "the verdict about it"
    card: Mapping[str, Any]
    "as it is exported"
    beside: Mapping[str, Path]
    "models it stands on, by the folder they are copied to"
    app: App


def gather(made: Run, name: str, port: int, wheel: str = "") -> Gathered:
    """What an app of this run is made of. Raises UserError where the run is damaged, or a model it stands on is not
    the one it was made with or cannot be copied."""
    folder = made.folder / MODEL
    if not (folder / CARD).is_file():
        raise UserError(f"{made.id} holds no finished model", "list the runs with: dragoman runs")
    if wrong := durable.problems(folder):
        raise UserError(wrong[0], AGAIN)
    card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    kind = str(card["kind"])
    judged = [
        one
        for one in all_runs(made.folder.parent)
        if one.verb in ("run", "judge") and one.results.get("rung_run") == made.id
    ]
    verdict = judged[-1] if judged else None
    scope = dict((made.results.get("project") or {}).get("scope") or {})
    extras = ["serve", *(["rag"] if kind == RAG else [])]
    if kind == RAG:
        extras += ["encoder"] if _embedder_of(folder).startswith("builtin:") else []
    kept, beside = _apart(card)
    extras += ["encoder"] if _builtin(card) else []
    extras += ["hf"] if _foreign(folder if (folder / "config.json").is_file() else beside.get("base")) else []
    title = " ".join(pathless(str(scope.get("name") or made.id)).split())
    measured = [one for one in all_runs(made.folder.parent) if one.verb == "evaluate"]
    figures = [one.results["memory_mb"] for one in measured if one.results.get("rung_run") == made.id and one.finished]
    request, limit, why = memory_of(float(max(figures, default=0.0)), size_mb(made))
    said = str(verdict.results.get("verdict", "")).replace("_", " ") if verdict else ""
    path, body = ASKED.get(kind, ("/v1/classify", {"input": "a text"}))
    lineage = {"project": str(scope.get("name", "")), "run": made.id, "verdict": said}
    app = App(
        name=_slug(name or title),
        title=title,
        run=made.id,
        said=f"judged: {said}" if said else "not judged",
        version=__version__,
        python=".".join(platform.python_version_tuple()[:2]),
        port=port,
        extras=tuple(dict.fromkeys(extras)),
        request=request,
        limit=limit,
        memory=why,
        smoke={
            "run": made.id,
            "path": path,
            "body": body,
            "lineage": {key: value for key, value in lineage.items() if value},
        },
        wheel=Path(wheel).name if wheel else "",
        vllm=kind == "writer" and (folder / "config.json").is_file(),
    )
    return Gathered(made, verdict, kept, beside, app)


def check_place(target: Path, name: str) -> None:
    """Raise UserError where a folder stands that is not an app of ours, as it was written: it is left as it is."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not target.is_dir():
        raise UserError(f"{target} is no folder", "name a new folder with out=./NAME")
    known = {Path(file).parts[0] for file in FILES} | {"smoke.py", "smoke.json", "constraints.txt", "runs", "wheels"}
    units = {path.name for path in target.glob("*.service")}
    strange = sorted({path.name for path in target.iterdir()} - known - units - {durable.MANIFEST})
    if strange or not (target / durable.MANIFEST).is_file():
        found = strange[0] if strange else next(iter(sorted(path.name for path in target.iterdir())))
        raise UserError(f"{target} holds other files already, such as {found}", "name a new folder with out=./NAME")
    if changed := durable.problems(target):
        raise UserError(f"{changed[0]}: it was changed since it was exported", "name a new folder with out=./NAME")


def write_app(target: Path, gathered: Gathered, wheel: Path | None = None) -> dict[str, int]:
    """Publish the app in one step; the size of each of its files, by name.

    Raises UserError where one of them holds what looks like a secret, where the disk is full, and as `check_place`; a
    kill at any moment leaves what stood there before, or nothing.
    """
    check_place(target, gathered.app.name)
    if gathered.card["kind"] == RAG:
        _refuse_secret_documents(gathered.made.folder / MODEL)

    def fill(stage: Path) -> None:
        held = stage / "runs" / gathered.made.id
        held.mkdir(parents=True)
        _write_model(held / MODEL, gathered)
        for name, place in gathered.beside.items():
            shutil.copytree(place, held / name)
        _write_record(held, gathered.made, {"project": _project(gathered.made)}, (MODEL,))
        if gathered.judged is not None:
            told = {key: gathered.judged.results.get(key) for key in ("verdict", "rung_run")}
            _write_record(held.parent / gathered.judged.id, gathered.judged, told, ())
        if wheel is not None:
            (stage / "wheels").mkdir()
            (stage / "wheels" / wheel.name).write_bytes(wheel.read_bytes())
        write_files(stage, gathered.app)
        _refuse_secrets(stage)

    weights = sum(file.stat().st_size for file in _files(gathered))
    durable.publish(target, fill, needed=weights + (1 << 20))
    return {
        file.relative_to(target).as_posix(): file.stat().st_size for file in sorted(target.rglob("*")) if file.is_file()
    }


def _files(gathered: Gathered) -> Iterator[Path]:
    for folder in (gathered.made.folder / MODEL, *gathered.beside.values()):
        yield from (file for file in folder.rglob("*") if file.is_file())


def _write_model(target: Path, gathered: Gathered) -> None:
    """The model's files as they are, its card without paths of this machine, and their manifest."""
    source = gathered.made.folder / MODEL

    def fill(stage: Path) -> None:
        shutil.copytree(source, stage, dirs_exist_ok=True)
        text = json.dumps(dict(gathered.card), indent=1, ensure_ascii=False)
        (stage / CARD).write_text(text, encoding="utf-8")

    durable.publish(target, fill)
    if wrong := durable.problems(source):  # it changed while it was copied
        raise UserError(wrong[0], AGAIN)


def _write_record(folder: Path, one: Run, results: Mapping[str, Any], published: tuple[str, ...]) -> None:
    """What lineage needs of a run's record: no row, no sample, no path and no setting."""
    inputs = {
        pathless(str(name)): {"path": pathless(str(entry["path"])), "sha256": entry["sha256"]}
        for name, entry in one.record["inputs"].items()
    }
    kept = {key: one.record.get(key) for key in ("id", "verb", "version", "status", "started", "seconds")}
    record = {**kept, "settings": {}, "inputs": inputs, "results": dict(results), "published": list(published)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _project(made: Run) -> dict[str, Any]:
    scope = dict((made.results.get("project") or {}).get("scope") or {})
    return {"scope": {key: scope[key] for key in ("name", "objective", "task") if key in scope}}


def _apart(card: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Path]]:
    """A card whose models are found beside it, and those models; what it does not need is named as it is published."""
    from dragoman.models.source import fingerprint, resolve

    kept, beside = json.loads(json.dumps(dict(card))), {}
    needs_base = card["kind"] in ("zero_shot", "few_shot") or card.get("base_needed") or card.get("adapter")
    if not needs_base and "base" in kept:
        kept["base"] = public_base(str(kept["base"]))
    if documents := kept.get("documents"):
        documents["source"] = pathless(str(documents.get("source", "")))
    if guards := (kept.get("around") or {}).get("guards"):
        guards["toxicity"] = pathless(str(guards.get("toxicity", "")))
    held = {"base": card.get("fingerprint"), "writer": card.get("fingerprint"), "rerank": card.get("rerank")}
    around = card.get("around") or {}
    held |= {name: (around.get(name) or {}).get("fingerprint") for name in ("topic", "toxicity")}
    for name, path in SPECS:
        if name == "base" and not needs_base:
            continue
        table = kept
        for key in path[:-1]:
            table = table.get(key) or {}
        spec = str(table.get(path[-1]) or "")
        if not spec or spec.partition(":")[0] in ANYWHERE:
            continue
        place = resolve(spec)
        if fingerprint(place) != held[name]:
            raise UserError(f"{spec} is not the model this run was made with", AGAIN)
        beside[name], table[path[-1]] = place, f"{BESIDE}{name}"
    return kept, beside


def _builtin(value: Any) -> bool:
    """Whether a card names a model that a package brings."""
    if isinstance(value, Mapping):
        return any(_builtin(one) for one in value.values())
    return isinstance(value, str) and value.startswith("builtin:")


def _embedder_of(folder: Path) -> str:
    """What an index was embedded with. Raises UserError where that lies in a folder of this machine."""
    from dragoman.stages.answering import INDEX
    from dragoman.stages.shelf import open_shelf

    shelf = open_shelf(folder / INDEX, sealed=True)
    shelf.store.close()
    spec = shelf.facts.embedder
    if spec and spec.partition(":")[0] not in ANYWHERE:
        problem = "the index is embedded with a model that is no part of any package, and would not be found elsewhere"
        raise UserError(problem, "make it with documents.embedder=builtin:minilm: dragoman run")
    return spec


def _foreign(folder: Path | None) -> bool:
    """Whether a model's architecture is run by transformers."""
    if folder is None:
        return False
    from dragoman.nn.family import FAMILIES
    from dragoman.nn.weights import read_config

    return str(read_config(folder).get("model_type")) not in FAMILIES.names()


def _slug(text: str) -> str:
    """A name that images, units and services may have: small letters, digits and dashes, 30 at the most."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    plain = plain if plain[:1].isalpha() else f"app-{plain}"
    return plain[:30].strip("-")


def _refuse_secrets(stage: Path) -> None:
    """Raise UserError where a text that would go holds what looks like a secret; what it is, is not said."""
    for file in sorted(stage.rglob("*")):
        if not file.is_file() or file.suffix not in READ or file.name in WORDS:
            continue
        kinds = {one.kind for one in hints(file.read_text(encoding="utf-8", errors="replace"))} & set(SECRETS)
        if kinds:
            name = file.relative_to(stage).as_posix()
            hint = "take it out of the data or the prompt, and make the run again: dragoman run"
            raise UserError(f"{name} holds what looks like a secret ({', '.join(sorted(kinds))})", hint)


def _refuse_secret_documents(folder: Path) -> None:
    """Raise UserError where a document of the index holds what looks like a secret; what it is, is not said."""
    from dragoman.stages.answering import INDEX
    from dragoman.stages.shelf import open_shelf

    shelf = open_shelf(folder / INDEX, sealed=True)
    with closing(shelf.store):
        for chunk in shelf.store.scan():
            if kinds := {one.kind for one in hints(chunk.embedded)} & set(SECRETS):
                problem = f"the document {chunk.source} holds what looks like a secret ({', '.join(sorted(kinds))})"
                raise UserError(problem, "take it out of the document, and make the run again: dragoman run")
