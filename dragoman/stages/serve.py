"""Serve what was judged, exactly as it was: to programs by OpenAI's API, to people on a page.

Loopback by default; any other address needs a key. Everything is bounded; each answer says which run gave it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dragoman.core.errors import UserError
from dragoman.core.show import Show, many
from dragoman.stages import exported
from dragoman.stages.runs import folder_of
from dragoman.stages.serving import Opening, check_named, open_served

if TYPE_CHECKING:
    from dragoman.serve.adapters import AdapterFolder
    from dragoman.serve.context import Context
    from dragoman.serve.journal import Journal
    from dragoman.serve.limits import Limits
    from dragoman.serve.meters import Meters
    from dragoman.serve.served import Catalogue

__all__ = ["PLACES", "SECTIONS", "Keeping", "Settings", "Tracing", "laid", "open_context", "run"]

PLACES = ("run",)
SECTIONS = False
JOURNAL = "journal.sqlite"
ROOM = 64  # the rank of the thickest adapter that may come later: thin ones are filled up to it


@dataclass(frozen=True)
class Keeping:
    """What is written down of requests."""

    on: bool = True
    "Whether requests, feedback and conversations are kept, in the file journal."
    share: float = 1.0
    "The share of requests whose texts are kept; figures always are."
    texts: bool = True
    "Whether any texts of requests are kept."
    days: float = 30.0
    "How many days a request is kept."
    mask: bool = True
    "Whether e-mails, numbers of telephones, cards and accounts, and secrets are masked in what is kept."
    strict: bool = False
    "Whether a request is refused where it cannot be written down."


@dataclass(frozen=True)
class Tracing:
    """Where OpenTelemetry spans of requests go."""

    to: str = ""
    "The address of an OTLP receiver, such as http://127.0.0.1:4318; empty sends none."
    texts: bool = False
    "Whether prompts and answers are in them, masked as in what is kept."


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman serve`."""

    run: str = ""
    """What to serve: a run, the start of its name, a rung such as lora; a model (a folder, hf:owner/name,
    builtin:minilm, openai:http://host:port/v1#model); an index of documents; or the folder of an exported app.
    Several with commas: the first one answers where a request names none. Empty takes the newest verdict's run."""
    adapter: tuple[str, ...] = ()
    "LoRA adapters in PEFT's format beside a model: folders, with commas between; each is a model of its own name."
    adapters: str = ""
    """A folder of LoRA adapters beside the first model: each folder in it is a model of its name, also one that comes,
    changes or goes while it is served."""
    model: str = ""
    "Who answers from an index in its own words: a model as above; empty quotes the documents."
    host: str = "127.0.0.1"
    "The address to listen on; anything but this machine needs keys."
    port: int = 8000
    "The port to listen on."
    keys: str = ""
    "A file of key hashes, or env:NAME for one in the environment."
    new_key: bool = False
    "Make a key, add its hash to the keys file, print the key once, and stop."
    list_keys: bool = False
    "List the keys of the keys file: names, what they open, budgets; then stop."
    revoke: str = ""
    "The name of a key that opens nothing any more, in a running server too; then stop."
    name: str = ""
    "The name of a new key; what it makes belongs to it."
    scopes: tuple[str, ...] = ()
    "What a new key opens: chat, complete, embed, classify, tag, ask, feedback, history, models, metrics; empty is all."
    requests_per_minute: int = 0
    "The requests of a new key in a minute; 0 is without a bound, here and below."
    tokens_per_minute: int = 0
    "The tokens of a new key in a minute."
    tokens_per_day: int = 0
    "The tokens of a new key in a day."
    until: str = ""
    "The last day of a new key, such as 2027-01-31."
    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    runs: str = ""
    "The folder of the runs, where it is not the project's own."
    queue: int = 32
    "How many requests may wait for a model; the next one is answered 429 at once."
    rows: int = 0
    "How many answers are written at once; 0 chooses by the device."
    tokens: int = 4096
    "The most tokens of one answer."
    engine: Literal["auto", "ours", "turns", "openvino"] = "auto"
    "How answers share a model: ours writes side by side, turns one after the other, openvino in int8 on a CPU."
    device: str = "auto"
    "Where models run: auto, cpu, cuda or mps."
    precision: Literal["auto", "fp32", "bf16", "int8", "int8_dynamic"] = "auto"
    "The numbers a model that is named by itself runs in; a run has its own."
    threads: int = 0
    "The threads of the model; 0 leaves one core to the server."
    hosts: tuple[str, ...] = field(default_factory=tuple)
    "Names, beside loopback's, that requests may be addressed to."
    access: tuple[str, ...] = ()
    "The groups that may be seen of documents which not everybody may see."
    page: bool = True
    "Whether there is a page to talk on, at /."
    journal: str = ""
    "The file of the journal; empty is journal.sqlite beside the runs."
    keep: Keeping = field(default_factory=Keeping)
    "What is written down of requests."
    spans: Tracing = field(default_factory=Tracing)
    "Where OpenTelemetry spans of requests go."
    canary: str = ""
    "NAME:SHARE answers that share of the first one's requests by another one of those that are served."


def laid(given: Mapping[str, Any]) -> dict[str, Any]:
    """The words that were given, laid over the settings of an exported app where `run` names one."""
    return dict(given) if any(given.get(one) for one in ("new_key", "revoke", "list_keys")) else exported.laid(given)


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Open what is served and listen until stopped."""
    try:
        from dragoman.serve.run import serve
    except ImportError as error:
        raise UserError(
            f"the server is not installed: {error.name} is missing", 'pip install "dragoman[serve]"'
        ) from None
    if settings.new_key or settings.revoke or settings.list_keys:
        return _keys(settings, show)
    context = open_context(settings, show)
    serve(context, host=settings.host, port=settings.port, page=settings.page)
    return 0


def open_context(settings: Settings, show: Show) -> "Context":
    """Everything that a server is made of. Raises UserError where something of it is not there."""
    from dragoman.serve.budgets import Budgets
    from dragoman.serve.context import Context
    from dragoman.serve.keys import Keyring
    from dragoman.serve.limits import Limits
    from dragoman.serve.meters import Meters

    keyring = Keyring(settings.keys) if settings.keys else None
    limits = Limits(queue=settings.queue, hosts=_split(settings.hosts), tokens=settings.tokens)
    spoken = [word.strip() for word in settings.run.split(",") if word.strip()] or [""]
    meters = Meters(spoken[0] or "newest")
    catalogue = _catalogue(settings, spoken, limits, meters, show)
    journal = _journal(settings)
    budgets = Budgets(journal) if keyring is not None else None
    made = Context(catalogue, limits, meters, journal, keyring, budgets)
    if settings.spans.to:
        from dragoman.data.private import hints
        from dragoman.serve.spans import open_spans

        made.spans = open_spans(settings.spans.to, settings.spans.texts, hints if settings.keep.mask else None)
    if settings.adapters:
        made.adapters = _adapters(settings, catalogue)
    if settings.canary:
        from dragoman.serve.canary import Canary

        name, _, share = settings.canary.rpartition(":")
        known = [served.name for served in catalogue]
        begun = [one for one in known if one.startswith(f"{name}-")]
        name = begun[0] if name not in known and len(begun) == 1 else name  # lora of lora-4f21c09a1b
        if name not in known:
            raise UserError("the canary is none of what is served", f"say canary=NAME:0.1, one of: {', '.join(known)}")
        try:
            made.canary = Canary(catalogue.first.name, name, float(share))
        except ValueError:
            raise UserError(f"'{settings.canary}' names no trial", "say canary=NAME:0.1") from None
    return made


def _catalogue(settings: Settings, spoken: list[str], limits: "Limits", meters: "Meters", show: Show) -> "Catalogue":
    from dragoman.serve.served import Catalogue, Served

    how = Opening(
        device=settings.device,
        precision=settings.precision,
        engine=settings.engine,
        rows=settings.rows,
        adapters=_split(settings.adapter),
        room=ROOM if settings.adapters else 0,
        writer=settings.model,
        access=_split(settings.access),
        project=settings.project,
        runs=settings.runs,
    )
    for word in spoken:
        check_named(word, how)
    _set_threads(settings)
    found: list[Served] = []
    with show.board("serve") as board:
        for word in spoken:
            with board.step(word or "the newest run") as tick:
                made = open_served(word, how, limits, meters, [served.name for served in found])
                found += made
                tick(1.0, f"{many(len(made), 'model')}: {', '.join(f'{one.name} ({one.task})' for one in made)}")
    return Catalogue(found)


def _adapters(settings: Settings, catalogue: "Catalogue") -> "AdapterFolder":
    """The folder whose adapters are served, looked at. Raises UserError where there is none, or no model for it."""
    from dragoman.models.engine import LocalEngine
    from dragoman.serve.adapters import AdapterFolder

    folder, base = Path(settings.adapters), catalogue.first
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}", "make it, or leave out adapters=...")
    if base.scheduler is None or base.assistant is not None or not isinstance(base.scheduler.engine, LocalEngine):
        raise UserError(f"beside {base.name} no adapters can stand", "name the folder of a model that writes first")
    found = AdapterFolder(folder, base, base.scheduler.engine, catalogue)
    found.look()
    return found


def _set_threads(settings: Settings) -> None:
    """One core is left to the server where there are several: two that want the same one wait for each other."""
    import os

    import torch

    wanted = settings.threads or max(1, len(os.sched_getaffinity(0)) - 1)
    torch.set_num_threads(wanted)


def _journal(settings: Settings) -> "Journal | None":
    from dragoman.data.private import hints
    from dragoman.serve.journal import Journal, Policy

    keep = settings.keep
    if not keep.on and not settings.keys:
        return None
    path = Path(settings.journal) if settings.journal else _beside_runs(settings)
    mask = hints if keep.mask else None
    policy = Policy(
        on=keep.on,
        share=keep.share,
        texts=keep.texts,
        days=keep.days,
        strict=keep.strict,
        history=keep.on,
        mask=mask,
    )
    return Journal(path, policy)


def _beside_runs(settings: Settings) -> Path:
    """Where the journal lies that nobody named: with the runs of a project, else in this folder."""
    try:
        root = folder_of(settings.project, settings.runs, settings.run)
    except UserError:
        return Path(JOURNAL)
    return root / JOURNAL if root.is_dir() else Path(JOURNAL)


def _keys(settings: Settings, show: Show) -> int:
    """Make a key, take one back, or list those that are there."""
    from dragoman.serve.keys import list_keys, make_key, revoke

    if not settings.keys:
        raise UserError("a key needs a file for its hash", "name it: dragoman serve --new-key keys=keys.txt")
    if settings.list_keys:
        rows = list_keys(settings.keys)
        show.table(f"keys in {settings.keys}", tuple(name.replace("_", " ") for name in rows[0]), [
            tuple(row.values()) for row in rows
        ])  # fmt: skip
        show.result({"file": settings.keys, "keys": rows})
        return 0
    file = Path(settings.keys)
    if settings.revoke:
        revoke(file, settings.revoke)
        show.card("revoked", [("key", settings.revoke), ("a running server", "lets it in no more within a second")])
        show.result({"revoked": settings.revoke, "file": settings.keys})
        return 0
    key = make_key(
        file,
        settings.name,
        scopes=_split(settings.scopes),
        requests_per_minute=settings.requests_per_minute,
        tokens_per_minute=settings.tokens_per_minute,
        tokens_per_day=settings.tokens_per_day,
        until=settings.until,
    )
    show.card("a new key", [("key", key), ("its hash is in", settings.keys), ("it is shown once", "keep it now")])
    show.result({"key": key, "file": settings.keys})
    return 0


def _split(words: tuple[str, ...]) -> tuple[str, ...]:
    """Words that were given with commas between."""
    return tuple(one.strip() for word in words for one in word.split(",") if one.strip())
