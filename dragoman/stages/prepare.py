"""Read the data, clean it, and split it into train, validation and a sealed test.

Near duplicates stay in one part. Everything left out is counted, and the test part is opened by `dragoman judge` alone.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dragoman.core import durable
from dragoman.core.config import dump
from dragoman.core.errors import UserError
from dragoman.core.project import Project
from dragoman.core.runs import Run, find
from dragoman.core.show import Show, Tick, silent
from dragoman.core.sizing import parse_bytes
from dragoman.core.types import Example
from dragoman.data.builtin import descriptions
from dragoman.data.card import card
from dragoman.data.check import ORDER, Finding, preflight
from dragoman.data.collected import FOLDER, Collected, join, read_collected
from dragoman.data.dedupe import unique
from dragoman.data.examples import read_examples, write_examples
from dragoman.data.generated import of_people
from dragoman.data.load import Loaded, require
from dragoman.data.load import load as load_rows
from dragoman.data.problems import write_rejects
from dragoman.data.seal import write_sealed
from dragoman.data.shapes.tag import tags_of
from dragoman.data.split import Parts, sample, split
from dragoman.evals.task import asked, check_names, rouge_blind
from dragoman.stages.settled import command, settled

__all__ = [
    "PLACES",
    "SECTIONS",
    "Gathered",
    "Settings",
    "counter",
    "digest",
    "gather",
    "inspect",
    "labels_of",
    "learnt_by",
    "part",
    "prepare",
    "run",
    "seal_of",
]

PLACES = ("project",)
SECTIONS = True
SEAL = "sealed"
PARTS = "parts"


@dataclass(frozen=True)
class Settings:
    """The words of `dragoman prepare`."""

    project: str = ""
    "The project file or its folder; empty is the folder you stand in."


@dataclass(frozen=True)
class Gathered:
    """The sources of a project after reading: the rows to learn from, and the validation and test files where given."""

    source: Loaded
    validation: Loaded | None
    test: Loaded | None
    collected: Collected = field(default_factory=Collected)
    "What was made of corrected answers: only learnt from."

    @property
    def all(self) -> tuple[Loaded, ...]:
        """Those that are there."""
        return tuple(self.named().values())

    def named(self) -> dict[str, Loaded]:
        """Those that are there, by their part in the work."""
        parts = {"source": self.source, "validation": self.validation, "test": self.test}
        return {name: loaded for name, loaded in parts.items() if loaded is not None}


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Prepare the data of a project and say what it is."""
    project = settled(settings.project, words)
    with show.board(project.scope.name) as board, board.step("prepare") as tick:
        done = prepare(project, gather(project, tick), tick)
    rows = done.results["card"]["rows"]
    left = {**rows["refused"], **rows["dropped"]}
    lines = [(name, f"{count:,} rows") for name, count in done.results["card"]["parts"].items()]
    if joined := done.results.get("collected"):
        lines.append(
            ("collected", f"{joined:,} rows of {FOLDER}/ join training alone; data.collected=false leaves them out")
        )
    lines += [("left out", ", ".join(f"{count:,} {why}" for why, count in left.items()) or "nothing")]
    lines += [("guessed", text) for text in done.results["card"]["said"]]
    show.card("prepared", [*lines, ("run", done.id), ("then", command("plan", settings.project))])
    show.result({"run": done.id, "folder": str(done.folder), "data": done.results["card"]})
    return 0


def gather(project: Project, tick: Tick = silent) -> Gathered:
    """Read every source of the project. Raises UserError where one or its columns are not there."""
    tick(0.05, f"reading {project.data.source}")
    return Gathered(
        _read(project, project.data.source),
        _read(project, project.data.validation) if project.data.validation else None,
        _read(project, project.data.test) if project.data.test else None,
        read_collected(project.root / FOLDER) if project.data.collected else Collected(),
    )


def _read(project: Project, spec: str) -> Loaded:
    data = project.data
    return load_rows(
        project.place(spec),
        shape=data.shape,
        task=project.scope.task,
        template=_template_at(project),
        columns=data.columns,
        labels=tuple(project.scope.labels),
        multi_label=project.scope.multi_label,
        max_line=parse_bytes(data.max_line, "data.max_line"),
        stdin=sys.stdin.buffer if spec == "-" else None,
    )


def _template_at(project: Project) -> str:
    """The prompt template by name or text, or its file as seen from here."""
    file, mark, name = project.data.template.partition("#")
    named = mark and file.endswith((".jsonl", ".json"))
    return f"{project.place(file)}{mark}{name}" if named else project.data.template


def prepare(project: Project, gathered: Gathered, tick: Tick = silent) -> Run:
    """The run that holds the parts: found again when the same rows and settings were prepared before.

    Raises UserError where rows are refused, and where the data cannot be split.
    """
    data = project.data
    for loaded in gathered.all:
        require(loaded, data.keep_going)
    names = asked(project.scope)
    check_names(names, labels_of(project, gathered), project.scope.multi_label, project.scope.task)
    wanted = dump(replace(data, source="", validation="", test="", collected=True))
    settings = {
        "data": wanted,
        "scope": {"labels": dump(project.scope.labels), "multi_label": project.scope.multi_label},
    }
    settings |= {"model": project.models.candidates[0], "max_length": project.models.max_length}
    settings |= {"task": project.scope.task}
    # By their part in it, not by their paths: the same rows are the same work wherever one stands.
    inputs = {name: digest(loaded.examples) for name, loaded in gathered.named().items()}
    if learnt := (*gathered.collected.examples, *gathered.collected.preferences):
        inputs["collected"] = digest((*learnt, *gathered.collected.cases))  # what is near a case is not learnt from
    prepared = Run.begin(project.runs_folder, "prepare", settings, inputs)
    if prepared.finished:
        tick(1.0, "found again: nothing has changed")
        return prepared
    with durable.lock(prepared.folder):
        return _prepare(project, gathered, prepared, tick)


def _prepare(project: Project, gathered: Gathered, prepared: Run, tick: Tick) -> Run:
    data, count = project.data, counter(project)
    tick(0.3, "looking for what would spoil the work")
    found = inspect(project, gathered, count)
    tick(0.6, "splitting")
    people, made = of_people(gathered.source.examples)
    rows, repeated = unique([*people, *made])  # of two that are equal, the one of people stays
    parts = split(
        sample(rows, data.rows, data.seed),
        validation=gathered.validation.examples if gathered.validation else None,
        test=gathered.test.examples if gathered.test else None,
        shares=data.split,
        near_duplicate=data.near_duplicate,
        on_overlap=data.overlap,
        keep_going=data.keep_going,
        seed=data.seed,
        labelled=project.scope.task == "classify",
    )
    if repeated:
        parts = replace(parts, dropped={**parts.dropped, "exact duplicate": repeated})
    chosen = labels_of(project, gathered) if project.scope.task == "classify" else ()
    parts, joined = join(parts, gathered.collected, chosen, data.near_duplicate)
    tick(0.8, "writing the parts")

    def fill(stage: Path) -> None:
        write_examples(stage / "train.jsonl", parts.train)
        write_examples(stage / "validation.jsonl", parts.validation)

    durable.publish(prepared.folder / PARTS, fill)
    write_sealed(prepared.folder / SEAL, parts.test)
    found_at = [problem for loaded in gathered.all for problem in loaded.problems]
    refused = sorted(found_at, key=lambda one: (one.place.file, one.place.line, one.place.column))
    if refused:
        write_rejects(prepared.folder / "rejects.jsonl", refused)
    drawn = card(
        gathered.all, parts, near_duplicate=data.near_duplicate, count=count, max_length=project.models.max_length
    )
    results: dict[str, Any] = {
        "card": drawn,
        "labels": list(_labels(project, parts)),
        "findings": [dump(one) for one in found],
    }
    results |= {"descriptions": _described(project, _labels(project, parts)), "collected": joined}
    told = f", {joined:,} of them collected" if joined else ""
    tick(1.0, f"{len(parts.train):,} train{told}, {len(parts.validation):,} validation, {len(parts.test):,} sealed")
    return prepared.finish(results, published=(PARTS,))


def inspect(project: Project, gathered: Gathered, count: Callable[[Sequence[str]], list[int]]) -> list[Finding]:
    """Every finding of the preflight, errors first, and `rouge-blind` where a figure that is asked for sees nothing."""
    bounds = {one.metric: one.bound for one in project.scope.criteria() if one.kind == "target" and 0 < one.bound < 1}
    found = preflight(
        gathered.source,
        validation=gathered.validation,
        test=gathered.test,
        labels=tuple(project.scope.labels),
        near_duplicate=project.data.near_duplicate,
        on_overlap=project.data.overlap,
        keep_going=project.data.keep_going,
        test_share=project.data.split[2],
        bounds=bounds,
        count=count,
        max_length=project.models.max_length,
    )
    asked = [one.metric for one in project.scope.criteria() if one.metric.startswith("rouge")]
    blind = rouge_blind(gathered.source.examples) if asked else ""
    if blind:
        rows = len(gathered.source.examples)
        hint = 'scope.target.chrf=">= 0.5" knows every letter'
        found.append(Finding("rouge-blind", "warning", rows, f"{asked[0]} is asked for, and {blind}", hint=hint))
    return sorted(found, key=lambda one: ORDER[one.severity])


def counter(project: Project) -> Callable[[Sequence[str]], list[int]]:
    """How many tokens the first candidate makes of each text; the tokenizer alone is opened, not the model."""
    from dragoman.models.source import resolve
    from dragoman.nn.tokenizer import Tokenizer

    return Tokenizer(resolve(project.place(project.models.candidates[0]))).count


def labels_of(project: Project, gathered: Gathered) -> tuple[str, ...]:
    """The labels of the scope, or those of the data."""
    return _labelled(project, (example for loaded in gathered.all for example in loaded.examples))


def _labels(project: Project, parts: Parts) -> tuple[str, ...]:
    return _labelled(project, (example for _, rows in parts.items() for example in rows))


def _labelled(project: Project, examples: Iterable[Example]) -> tuple[str, ...]:
    """The labels, or the tags; none where answers are texts of their own."""
    if project.scope.task not in ("classify", "tag"):
        return ()
    named, tag = tuple(project.scope.labels), project.scope.task == "tag"
    if named and not tag:
        return named
    held = sorted({label for one in examples for label in one.answers})
    return tags_of(named, held) if named else tuple(held)


def _described(project: Project, labels: Sequence[str]) -> Mapping[str, str]:
    """One sentence for each label: the scope's, the built-in data's own, or the label's words."""
    known = descriptions() if project.data.source == "builtin:stdlib" else {}
    return {label: project.scope.labels.get(label) or known.get(label) or label.replace("_", " ") for label in labels}


def digest(examples: Iterable[Example]) -> str:
    """What identifies rows: every text and answer they give, wherever they lay."""
    whole = hashlib.sha256()
    for example in examples:
        facts = sorted((name, value) for name, value in example.meta.items() if name != "place")
        worse = (example.rejected,) if example.rejected else ()
        whole.update(repr((example.prompt, example.answers, *worse, facts)).encode())
    return whole.hexdigest()


def part(prepared: Run, name: str) -> list[Example]:
    """The rows of `train` or `validation`. Raises UserError when they are damaged; the sealed part has its own door."""
    wrong = durable.problems(prepared.folder / PARTS)
    if wrong:
        raise UserError(wrong[0], "make the parts again with: dragoman prepare")
    rows: list[Example] = read_examples(prepared.folder / PARTS / f"{name}.jsonl")
    return rows


def learnt_by(made: Run) -> list[Example]:
    """The rows that a run learnt from; none where it names no run of them, or that run is gone."""
    entry = made.record["inputs"].get("parts")
    try:
        prepared = find(made.folder.parent, str(entry["path"]), ("prepare",)) if entry else None
    except UserError:
        return []
    return part(prepared, "train") if prepared is not None and prepared.finished else []


def seal_of(prepared: Run) -> Path:
    """The folder of the sealed part."""
    return prepared.folder / SEAL
