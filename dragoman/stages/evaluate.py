"""Measure a run on any file: every metric with its interval, held against the run's scope.

data=PATH says on which rows; data.columns.text=NAME and data.columns.label=NAME where their columns are not guessed.
The assistant that answers is the one the server serves. Exit code 0 when the scope is met on this file, 1 when not.
An index of documents is measured on questions: dragoman evaluate index.sqlite QUESTIONS.jsonl tells what it finds, how
well it answers, and what it refuses; questions=make writes questions from the documents first.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.core.project import Project, overlay
from dragoman.core.runs import Run
from dragoman.core.show import Show, Tick, figure, silent
from dragoman.core.sizing import peak_memory, reset_peak_memory
from dragoman.core.types import Estimate, Example
from dragoman.data.load import require
from dragoman.data.split import sample
from dragoman.evals.gate import judge
from dragoman.evals.latency import REQUESTS
from dragoman.evals.rated import with_rates
from dragoman.evals.run import Report, evaluate, from_rows
from dragoman.evals.task import Task, asked, leading, make_task
from dragoman.rag.stores.open import file_of
from dragoman.stages.answering import INDEX, Answering
from dragoman.stages.assistants import PROMPTED, RAG, Opened, open_assistant, pick, size_mb
from dragoman.stages.judges import Judges, judges_of
from dragoman.stages.prepare import gather
from dragoman.stages.report import write_report
from dragoman.stages.runs import folder_of

__all__ = ["PLACES", "SECTIONS", "Measured", "Settings", "criteria_rows", "measure", "run", "shown", "views"]

PLACES = ("run", "questions")
SECTIONS = True
ROWS = "predictions"
TABLES = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".conll", ".gz")
"endings of files whose first row tells their columns"
WRITTEN = 40  # single answers that are timed of a model that writes: each takes a thousand times a label's time


@dataclass(frozen=True)
class Settings:
    """The words of `dragoman evaluate`; `data=PATH` and `data.columns` say on which rows."""

    run: str = ""
    "The run: its name, the start of it, a rung such as lora, or its folder; empty takes the newest verdict's."
    questions: str = ""
    "The questions an index is measured on: a file of JSON lines, or make, which writes one from its documents first."
    project: str = ""
    "The project file or its folder, whose runs are searched; empty is the folder you stand in."
    runs: str = ""
    "The folder of the runs, where it is not the project's own."
    index: str = ""
    "The index to measure, a file or a database; one may also stand in the run's place."
    n: int = 50
    "How many questions are made."
    out: str = "questions.jsonl"
    "The file that made questions are written to, for review."
    writer: str = ""
    "The model that writes questions; empty takes the one that answers, and without any, rules make them."
    model: str = ""
    "Who answers from the documents in its own words: a folder, hf:owner/name or openai:...; empty quotes them."
    calibrate: bool = False
    "Choose the threshold of refusal on these questions and keep it in the index, where dragoman ask finds it."
    most_false_refusals: float = 0.05
    "The most answerable questions, as a share, that a chosen threshold may refuse."
    access: tuple[str, ...] = ()
    "The groups of who asks an index, for documents that not everybody may see."
    how: Answering = field(default_factory=Answering)
    "How questions are answered from an index."


@dataclass(frozen=True)
class Measured:
    """An evaluation: its run, the report with all rows, and every figure that a target or limit may name."""

    run: Run
    report: Report
    estimates: Mapping[str, Estimate]


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Evaluate a run on a file and hold it against the scope, or an index on questions."""
    if path := _index_of(settings):
        from dragoman.stages.evaluate_index import evaluate_index

        return evaluate_index(path, settings, words, show)
    root = folder_of(settings.project, settings.runs, settings.run)
    made = pick(root, settings.run)
    if not any(word.startswith(("data=", "data.source=")) for word in words):
        raise UserError(
            "dragoman evaluate needs rows to measure on", f"name a file: dragoman evaluate {made.id} data=PATH"
        )
    known = {**made.results["project"], "runs": str(root.absolute()), "root": "."}
    known["data"] = {**known["data"], "validation": "", "test": "", "keep_going": False, "rows": 0}
    project = overlay(known, words)
    with show.board(f"evaluate {made.id}") as board, board.step("evaluate") as tick:
        opened = open_assistant(made)
        loaded = gather(_free(_labelled(project, opened), words), tick).source
        require(loaded, project.data.keep_going)
        rows = sample(loaded.examples, project.data.rows, project.data.seed)
        judges = judges_of(replace(project, root=_home(made, root)))
        done = measure(opened, rows, loaded.source, tick, names=asked(project.scope), judges=judges)
    verdict = judge(done.estimates, project.scope.criteria())
    record = {
        "name": project.scope.name,
        "objective": project.scope.objective,
        "headline": verdict.headline,
        "verdict": "met" if verdict.passed else "not_met",
        "rung": made.verb,
        "criteria": criteria_rows(verdict.criteria),
        "metrics": {name: asdict(value) for name, value in done.estimates.items()},
        **views(done.report, opened.labels),
        "lineage": [{"run": one.id, "verb": one.verb, "inputs": one.record["inputs"]} for one in (made, done.run)],
        "environment": made.record["environment"],
        "commands": [f"dragoman evaluate {made.id} data={loaded.source}"],
    }
    page = write_report(done.run, record)
    shown(f"{made.id} on {loaded.source}", record, page, show)
    return 0 if verdict.passed else 1


def _index_of(settings: Settings) -> str:
    """The index that is to be measured; empty where it is a run."""
    if settings.index:
        return settings.index
    word = settings.run
    if word.endswith(Path(INDEX).suffix) or Path(word).is_file() or (word and file_of(word) is None):
        return word
    if not settings.questions and not settings.calibrate:
        return ""
    if word:
        raise UserError(
            f"questions are asked of an index, and {word} is none",
            f"name the rows that a run is measured on: dragoman evaluate {word} data=PATH",
        )
    return INDEX


def _home(made: Run, runs: Path) -> Path:
    """Where the project of a run lies, from which its judges are named; where you stand if that cannot be told."""
    stored, whole = Path(made.results["project"]["runs"]).parts, runs.absolute().parts
    return Path(*whole[: -len(stored)]) if whole[-len(stored) :] == stored else Path()


def _labelled(project: Project, opened: Opened) -> Project:
    """The project with the labels that the assistant knows.

    Of tags the scope's own stay: their order names tags that are numbers, and the assistant's is another.
    """
    if opened.task == "tag":
        return project
    return replace(project, scope=replace(project.scope, labels={label: label for label in opened.labels}))


def _free(project: Project, words: Sequence[str]) -> Project:
    """Columns that were chosen for another file are only wishes: guess again unless they were given here."""
    if any(word.startswith("data.columns") for word in words):
        return project
    path = project.data.source
    if path.endswith(TABLES) and Path(project.place(path)).is_file():
        from dragoman.data.problems import Row
        from dragoman.data.read import scan

        first = next((row for row in scan(project.place(path)) if isinstance(row, Row)), None)
        chosen = project.data.columns
        if first is not None and {chosen.text, chosen.label} <= first.values.keys():
            return project
    return replace(project, data=replace(project.data, columns=type(project.data.columns)()))


def measure(
    opened: Opened,
    examples: Sequence[Example],
    source: str,
    tick: Tick = silent,
    requests: int = REQUESTS,
    seed: int = 0,
    names: Sequence[str] = (),
    judges: Judges | None = None,
) -> Measured:
    """Answer every row and measure it; the same assistant on the same rows is measured once.

    `names` are metrics that are measured besides the usual ones, and `judges` score every answer. The figures of the
    rung itself (size, forgetting) stand beside those of the rows.
    """
    if opened.task != "classify":
        requests = min(requests, WRITTEN)
    # Every metric of labels is usual; those named alone would leave the others out.
    names = () if opened.task == "classify" else names
    task = make_task(examples, opened.labels, names, opened.multi_label, opened.task)
    rows, named = {source: _digest(examples)}, judges.identities() if judges else {}
    settings = {"requests": requests, "seed": seed, "batch": 64, **({"metrics": list(names)} if names else {})}
    settings |= {"judges": named} if named else {}
    run = Run.begin(opened.run.folder.parent, "evaluate", settings, {"model": opened.run, **rows})
    if run.finished:
        report = _read_again(run, task, seed)
        tick(1.0, "found again")
        return Measured(run, report, _with_limits(report, run.results["memory_mb"], opened))
    reset_peak_memory()
    total = len(examples)

    def progress(count: int) -> None:
        tick(count / total, f"{count:,} of {total:,} rows answered")

    report = evaluate(opened.assistant, task, seed=seed, requests=requests, progress=progress)
    memory = peak_memory() / 1e6
    rates = judges.rate(examples, [one.text for one in report.answers]) if judges and named else {}
    report = with_rates(report, rates, seed)

    def fill(stage: Path) -> None:
        lines = [json.dumps(row, ensure_ascii=False) for row in report.rows()]
        (stage / "predictions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")

    durable.publish(run.folder / ROWS, fill)
    estimates = _with_limits(report, memory, opened)
    first = leading(task)
    order = [first, *(name for name in estimates if name != first)]
    run = run.finish(
        {
            "metrics": {name: asdict(estimates[name]) for name in order},
            "latencies": list(report.latencies),
            "memory_mb": memory,
            "rung_run": opened.run.id,
            "rows": total,
            **({"rates": rates} if rates else {}),
        },
        published=(ROWS,),
    )
    return Measured(run, report, estimates)


def _read_again(run: Run, task: Task, seed: int) -> Report:
    """The report of an evaluation that is finished."""
    # Not by splitlines: an answer may hold other ends of a line, such as U+2028, which JSON leaves as they are.
    lines = (run.folder / ROWS / "predictions.jsonl").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    stored = tuple(run.results["latencies"])
    report = from_rows([json.loads(line) for line in lines], task, latencies=stored, seed=seed)
    return with_rates(report, run.results.get("rates", {}), seed)


def _with_limits(report: Report, memory: float, opened: Opened) -> dict[str, Estimate]:
    size = size_mb(opened.run)
    figures = {
        **report.estimates,
        "size_mb": Estimate(size, size, size, 1),
        "memory_mb": Estimate(memory, memory, memory, 1),
    }
    lost = opened.run.results.get("forgetting")
    if lost:
        figures["forgetting"] = Estimate(**lost["drop"])
    elif opened.run.verb in (*PROMPTED, RAG):
        # A rung that learns no weight forgets nothing: that needs no measurement. Of any other it is not known.
        figures["forgetting"] = Estimate(0.0, 0.0, 0.0, 1)
    return figures


def _digest(examples: Sequence[Example]) -> str:
    whole = hashlib.sha256()
    for example in examples:
        whole.update(repr((example.prompt, example.answers)).encode())
    return whole.hexdigest()


def criteria_rows(judged: Sequence[Any]) -> list[dict[str, Any]]:
    """The criteria as the report and programs read them."""
    return [
        {
            "metric": one.criterion.metric,
            "asked": one.criterion.asked,
            "kind": one.criterion.kind,
            "estimate": asdict(one.estimate) if one.estimate else None,
            "outcome": one.outcome,
        }
        for one in judged
    ]


def views(report: Report, labels: Sequence[str]) -> dict[str, Any]:
    """What the report draws of an evaluation: confusion, calibration, each label, best and worst samples, and how
    figures of texts were counted."""
    facts = report.summary()
    if report.task.kind != "classify":
        return {
            "samples": {
                name: [{**_sample(one), "confidence": None, "score": one.confidence} for one in found]
                for name, found in (("best", report.best), ("worst", report.worst))
            },
            "signatures": report.signatures,
        }
    counts = [row[: len(labels)] for row in facts["confusion"]] if not report.task.multi_label else []
    held = [sum(label in one.references for one in report.predictions) for label in labels]
    drawn: dict[str, Any] = {
        "per_class": [
            {"label": label, "f1": facts["estimates"].get(f"f1:{label}"), "rows": rows}
            for label, rows in zip(labels, held, strict=True)
        ],
        "samples": {"best": [_sample(one) for one in report.best], "worst": [_sample(one) for one in report.worst]},
    }
    if counts:
        drawn["confusion"] = {"labels": list(labels), "counts": counts}
    if facts["reliability"]:
        bins = [
            {"confidence": one["confidence"], "accuracy": one["right"], "count": one["n"]}
            for one in facts["reliability"]
        ]
        null = facts["ece_null"]
        drawn["calibration"] = {"bins": bins, "ece": facts["estimates"].get("ece"), "null": null and null["value"]}
    return drawn


def _sample(one: Any) -> dict[str, Any]:
    expected, answer = ", ".join(one.references), ", ".join(one.labels)
    return {"text": one.text, "expected": expected, "answer": answer, "confidence": one.confidence}


def shown(
    title: str,
    record: Mapping[str, Any],
    page: str,
    show: Show,
    extra: Sequence[tuple[str, str]] = (),
    then: Sequence[tuple[str, str]] = (),
    always: bool = False,
) -> None:
    """Show a verdict on the terminal, with more rows before and after the criteria, and as the one JSON object."""
    rows = [("verdict", str(record["headline"])), *extra]
    for one in record["criteria"]:
        found = figure(one["estimate"]) if one["estimate"] else "not measured"
        rows.append((f"{one['kind']} {one['metric']} {one['asked']}", f"{found} {one['outcome']}"))
    rows += [("report", page), *then]
    mark = {"met": "good", "no_adaptation_needed": "good"}.get(str(record["verdict"]), "bad")
    show.card(title, rows, mark=mark)
    keys = ("verdict", "rung", "metrics")
    show.result(
        {
            **{key: record.get(key) for key in keys},
            "run": Path(page).parent.name,
            "report": page,
            "headline": record["headline"],
        },
        always,
    )
