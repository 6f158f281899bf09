"""The project: what is wanted (scope), from what (data, models) and how far it may go (ladder, budget), as one file
says it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from dragoman.core.config import build, merge, nearest, parse_word, read_toml
from dragoman.core.errors import UserError
from dragoman.core.guarding import Guards, Prompting
from dragoman.core.sizing import parse_bytes, parse_seconds
from dragoman.core.targets import Criterion, criteria

__all__ = [
    "LEADING",
    "WINS",
    "Alignment",
    "Budget",
    "Columns",
    "Data",
    "Documents",
    "Ladder",
    "Models",
    "Project",
    "Scope",
    "load",
    "locate",
    "overlay",
]

LEADING = {
    "classify": "macro_f1",
    "tag": "entity_f1",
    "answer": "token_f1",
    "summarize": "rougel",
    "translate": "chrf",
    "chat": "rougel",
    "write": "rougel",
}
"the metric that a task is led by where nothing else is asked"
WINS = "_wins"
"what follows a judge's name in the figure that says how often an answer is better than the row's own"
TAGGING = ("head", "layers", "lora", "full")
WRITING = ("zero_shot", "few_shot", "lora", "full")


@dataclass(frozen=True, slots=True)
class Budget:
    """What the work may use."""

    memory: str = "8 GiB"
    "The most memory one training run may take."
    time: str = "15 min"
    "The time all rungs of the ladder may take together."

    def bytes(self) -> int:
        """The memory in bytes."""
        return parse_bytes(self.memory, "scope.budget.memory")

    def seconds(self) -> float:
        """The time in seconds."""
        return parse_seconds(self.time, "scope.budget.time")


@dataclass(frozen=True, slots=True)
class Scope:
    """What the application is for, and what good enough means, decided before any work."""

    name: str = "project"
    "A short name, used for reports and served models."
    objective: str = ""
    "One sentence: what the application does, for whom."
    audience: str = ""
    "Who will use it."
    task: Literal["classify", "tag", "answer", "summarize", "translate", "chat", "write"] = "classify"
    "The kind of task."
    instruction: str = ""
    """What a model that writes is told in front of every text, or around it where it holds {text}; empty takes the
    task's own for summarize and translate."""
    labels: Mapping[str, str] = field(default_factory=dict)
    "The labels that may occur, each with one sentence that describes it; empty takes the labels of the data."
    multi_label: bool = False
    "Whether several labels may hold for one text."
    target: Mapping[str, str] = field(default_factory=lambda: {"macro_f1": ">= 0.80"})
    'What good enough means: a metric and a comparison, such as macro_f1 = ">= 0.60".'
    limits: Mapping[str, str] = field(default_factory=dict)
    "What must not be exceeded: p50_ms, p95_ms, size_mb, memory_mb, forgetting or any metric."
    judges: Mapping[str, str] = field(default_factory=dict)
    """What scores answers, each by a name that targets and limits may use: harmless = "label:FOLDER#harmless", a reward
    model's run, python:FILE.py. NAME is the mean of its scores, NAME_wins how often it puts the answer above the
    row's."""
    budget: Budget = field(default_factory=Budget)
    "What the work may use."

    def criteria(self) -> tuple[Criterion, ...]:
        """Every target and limit, parsed."""
        return criteria(self.target, self.limits)


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of the data means what; what is not given is guessed and said."""

    text: str = ""
    "The column that holds the text; two joined by + make one, such as premise+hypothesis."
    label: str = ""
    "The column that holds the label, or a list of labels."
    id: str = ""
    "The column that identifies a row."
    group: str = ""
    "Rows with the same value here stay in the same part of the split."


@dataclass(frozen=True, slots=True)
class Data:
    """Where the rows come from and how they are split."""

    source: str = ""
    "A path or glob (jsonl, csv, tsv, parquet, txt), - for standard input, builtin:stdlib, or hf:owner/name."
    validation: str = ""
    "A file of its own for validation; empty takes a part of the source."
    test: str = ""
    "A file of its own for the sealed test; empty takes a part of the source."
    columns: Columns = field(default_factory=Columns)
    "Which column means what."
    shape: str = ""
    "How a row is written: instruct, chat, completion, tag, squad and others; empty is guessed and said."
    template: str = ""
    'A prompt template over the columns, such as "Is it good? {{text}} ||| {{label}}", or the name of one.'
    split: tuple[float, float, float] = (0.7, 0.15, 0.15)
    "The shares of train, validation and test."
    near_duplicate: float = 0.8
    """Texts whose 5-character shingles overlap at least this much (Jaccard) count as near duplicates; or, from eight
    words on, whose words do."""
    overlap: Literal["refuse", "drop"] = "refuse"
    "What to do with training rows that stand in a given validation or test file."
    general: str = "builtin:stdlib-topics"
    """Texts unlike the task's: on some of them it is measured what a model that writes forgets, and the others are what
    objective.replay learns again."""
    keep_going: bool = False
    "Go on when rows are damaged; they are written to rejects.jsonl."
    max_line: str = "8 MB"
    "The longest line that is read."
    rows: int = 0
    "Take only this many rows, drawn with the seed; 0 takes all."
    seed: int = 0
    "The seed of the split."
    collected: bool = True
    "Whether training takes in what dragoman collect made of corrected answers, in collected beside the project file."


@dataclass(frozen=True, slots=True)
class Models:
    """Which models may be adapted."""

    candidates: tuple[str, ...] = ("builtin:minilm",)
    "builtin:minilm, a folder in Hugging Face form, or hf:owner/name; of several the best few-shot one climbs."
    max_length: int = 128
    "The most tokens of a text that are read; what is cut is counted by check. A model that writes has 512."
    template: str = "auto"
    """How a dialogue is written: auto takes the model's own chat template, else instruct; roles, plain, or a .jinja
    file. The one trained with is saved with the model."""
    max_tokens: int = 256
    "The most tokens of an answer, of a model that writes."


@dataclass(frozen=True, slots=True)
class Documents:
    """What the rag rung answers from."""

    source: str = ""
    "A folder, a file or a zip of documents, builtin:stdlib, or several with commas."
    embedder: str = "builtin:minilm"
    "What embeds pieces and questions: builtin:minilm, a folder or hf:owner/name; none looks for words alone."
    tokens: int = 200
    "The most tokens of a piece."
    overlap: float = 0.1
    "What a piece repeats of the one before it, as a share of its tokens."
    parents: int = 0
    "The most tokens of the larger piece that is read where a small one was found; 0 reads the small one."
    k: int = 5
    "The most passages that are looked at."
    sentences: int = 1
    "The most sentences that are quoted, where no model writes."
    short: bool = False
    "Whether a quoted answer is the date, number, name or phrase alone that is asked for."
    threshold: float = 0.35
    "The cosine of the best passage below which the documents are said not to answer; -1 refuses none."
    model: str = ""
    "Who answers in its own words, held against the documents: a folder, a run's model, hf:owner/name; empty quotes."
    rerank: str = ""
    "What rates the passages found again: a run of objective=reward, a folder or hf:owner/name of a cross-encoder."
    tools: tuple[str, ...] = ()
    "What the model may use until it answers: search, calculator, python, http; none gives it the passages."
    hosts: tuple[str, ...] = ()
    "The hosts that the tool http may ask."


@dataclass(frozen=True, slots=True)
class Ladder:
    """How far the adaptation may go, from cheap to dear."""

    rungs: tuple[str, ...] = ("zero_shot", "few_shot", "head", "layers", "lora", "full")
    "The rungs to climb, in this order."
    all: bool = False
    "Climb every rung, also after one has met the target."
    shots: int = 0
    "How many rows a label the few-shot rung may look at; 0 takes all training rows."
    trials: int = 3
    "How many learning rates are tried on each trained rung, budget allowing."
    epochs: float = 0
    "The epochs of each trained rung; 0 takes the rung's own."


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the rungs preference and ppo go on from the rung that learnt from answers."""

    tuning: str | Mapping[str, Any] = "lora"
    "Which weights learn."
    preference: str | Mapping[str, Any] = "dpo"
    "By what pairs of answers are learnt: dpo, kto or orpo, with settings such as preference.beta=0.1."
    policy: str | Mapping[str, Any] = "ppo"
    "By what is learnt from rewards: ppo, rloo or grpo, with settings such as policy.max_tokens=64."
    reward: str = ""
    """What scores a policy's answers: a reward model's run or folder, label:FOLDER#LABEL, python:FILE.py and others;
    empty trains a model on the pairs."""
    train: Mapping[str, Any] = field(default_factory=dict)
    "Settings of the loop on these rungs alone, such as steps or rate."


@dataclass(frozen=True, slots=True)
class Project:
    """The whole project file."""

    scope: Scope = field(default_factory=Scope)
    "What the application is for, and what good enough means."
    data: Data = field(default_factory=Data)
    "Where the rows come from and how they are split."
    models: Models = field(default_factory=Models)
    "Which models may be adapted."
    documents: Documents = field(default_factory=Documents)
    "What the rag rung answers from."
    prompt: Prompting = field(default_factory=Prompting)
    "What a model that writes is told in front of everything else."
    guards: Guards = field(default_factory=Guards)
    "What is kept from a model that answers, and from its answers."
    ladder: Ladder = field(default_factory=Ladder)
    "How far the adaptation may go."
    train: Mapping[str, Any] = field(default_factory=dict)
    "Settings of the training loop for every rung, such as batch or seed."
    objective: Mapping[str, Any] = field(default_factory=dict)
    "Settings of what is learnt on every rung that trains, such as replay or neftune of a model that writes."
    alignment: Alignment = field(default_factory=Alignment)
    "How the rungs preference and ppo learn."
    runs: str = "runs"
    "The folder of the runs, from the project file's own folder."
    root: Path = field(default_factory=Path)
    "The folder of the project file; relative paths start here."

    @property
    def runs_folder(self) -> Path:
        """Where the runs lie."""
        return self.root / self.runs

    def place(self, spec: str) -> str:
        """A path of the project file as seen from here; builtin:, hf: and - stay as they are."""
        outside = spec in ("", "-") or spec.startswith(("builtin:", "hf:"))
        if outside:
            return spec
        path = os.path.normpath(self.root / spec)
        near = os.path.relpath(path) if os.path.isabs(path) else path
        return path if near.startswith(os.pardir) else near


def locate(word: str) -> Path:
    """The project file a person means: a file, or the dragoman.toml of a folder."""
    path = Path(word or ".")
    file = path / "dragoman.toml" if path.is_dir() else path
    if not file.exists():
        hint = "make one with: dragoman new" if not word else "give a project file or a folder that holds dragoman.toml"
        raise UserError(f"there is no project file {file}", hint)
    return file


def load(file: Path, words: Sequence[str] = ()) -> Project:
    """The project of a TOML file with `section.key=value` words laid over it, checked whole.

    Raises UserError at the first unknown key, bad value or comparison that cannot be read.
    """
    table = read_toml(file)
    data = table.get("data", {})
    said = not isinstance(data, Mapping) or "source" in data
    if not said and not any(word.startswith(("data=", "data.source=")) for word in words):
        raise UserError(
            f"{file} does not say where the data is", 'add source = "rows.jsonl" under [data], or say data=PATH'
        )
    return overlay({**table, "root": str(file.parent)}, words)


def overlay(table: Mapping[str, Any], words: Sequence[str]) -> Project:
    """A project from nested tables and words, checked whole."""
    known = [item.name for item in fields(Project) if item.name != "root"]
    for word in words:
        path, value = parse_word(word)
        value = _from_here(path, value)
        if path[0] not in known:
            raise UserError(f"there is no setting named '{'.'.join(path)}'", nearest(path[0], known))
        table = merge(table, path, value)
    table = {name: value for name, value in table.items() if name != "project"}
    project = _for_task(_with_labels(build(Project, table)), table)
    _in_range(project)
    project.scope.criteria()
    project.scope.budget.bytes()
    project.scope.budget.seconds()
    parse_bytes(project.data.max_line, "data.max_line")
    total = sum(project.data.split)
    if not 0.999 < total < 1.001 or min(project.data.split) <= 0:
        raise UserError(f"data.split cannot be {list(project.data.split)}", "give three shares above 0 that sum to 1")
    if not project.scope.target:
        name = LEADING[project.scope.task]
        raise UserError("scope.target is empty", f'say what good enough means: scope.target.{name}=">= 0.80"')
    if not project.models.candidates:
        raise UserError("models.candidates is empty", 'name a model: models.candidates=["builtin:minilm"]')
    return project


def _for_task(project: Project, table: Mapping[str, Any]) -> Project:
    """What was not said, as the task wants it: classification's own habits suit no model that writes."""
    task = project.scope.task
    if task == "classify":
        return project
    said = {name: table.get(name) or {} for name in ("scope", "models", "ladder")}
    if "target" not in said["scope"]:
        project = replace(project, scope=replace(project.scope, target={}))
    if "rungs" not in said["ladder"]:
        rungs = TAGGING if task == "tag" else WRITING
        project = replace(project, ladder=replace(project.ladder, rungs=rungs))
    if "max_length" not in said["models"] and task != "tag":
        project = replace(project, models=replace(project.models, max_length=512))
    return project


def _in_range(project: Project) -> None:
    """Raise UserError for a number that means nothing."""
    wrong = [
        ("data.near_duplicate", project.data.near_duplicate, 0.1, 1.0),
        ("data.rows", project.data.rows, 0, float("inf")),
        ("ladder.shots", project.ladder.shots, 0, float("inf")),
        ("ladder.trials", project.ladder.trials, 1, 5),
        ("ladder.epochs", project.ladder.epochs, 0, 10_000),
        ("models.max_length", project.models.max_length, 8, float("inf")),
    ]
    for name, value, low, high in wrong:
        if not low <= value <= high:
            most = "" if high == float("inf") else f" and {high:g} at the most"
            raise UserError(f"{name} cannot be {value}", f"it must be {low:g} at the least{most}: {name}={low:g}")


def _from_here(path: tuple[str, ...], value: Any) -> Any:
    """A path in a word starts at the folder the person stands in, not at the project file."""
    if path == ("models", "candidates") and isinstance(value, str | list):
        named = [value] if isinstance(value, str) else value
        return [str(Path(one).absolute()) if isinstance(one, str) and Path(one).is_dir() else one for one in named]
    places = (("data",), *(("data", name) for name in ("source", "validation", "test", "general")), ("runs",))
    places += (("prompt",), ("prompt", "file"))
    if path not in places or not isinstance(value, str) or value in ("", "-") or value.startswith(("builtin:", "hf:")):
        return value
    return str(Path(value).absolute())


def _with_labels(project: Project) -> Project:
    """Labels that only one sentence or none describes are described by their own words."""
    described = {label: text or label.replace("_", " ") for label, text in project.scope.labels.items()}
    return replace(project, scope=replace(project.scope, labels=described))
