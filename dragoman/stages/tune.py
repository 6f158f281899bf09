"""Tune a model on a file: the shape, the task and the method that fits are guessed and said, and the result is proven.

The rows are checked and split, the untouched model is measured, the model learns, and both answer the same sealed rows;
what was forgotten is measured too. `--dry` shows the plan alone. Exit code 0 when the tuned model is proven better than
the untouched one, 1 when it is not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dragoman.core import durable
from dragoman.core.config import build, dump
from dragoman.core.errors import UserError
from dragoman.core.project import LEADING, Columns, Project, overlay
from dragoman.core.runs import Run
from dragoman.core.show import Board, Show, Tick, many
from dragoman.core.sizing import free_memory, parse_bytes, show_bytes, show_seconds
from dragoman.data.load import guess_task, load, require
from dragoman.data.seal import open_sealed, read_again
from dragoman.evals.task import led_by, rouge_blind
from dragoman.stages.assistants import open_assistant
from dragoman.stages.check import tell
from dragoman.stages.evaluate import Measured, measure
from dragoman.stages.plugs import plug_or_settings
from dragoman.stages.prepare import gather, part, prepare, seal_of
from dragoman.stages.report import write_report
from dragoman.stages.train import Plan, aimed_at, batched, planned, train
from dragoman.stages.tune_plan import Method, choose_method, methods_of, own_words, rows_of
from dragoman.stages.tune_record import Pair, card_of, record_of
from dragoman.stages.writers import prompted
from dragoman.stages.writing import model_kind, tokens_an_example, writes
from dragoman.train.doors import OBJECTIVES, TUNINGS, How

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("model", "data")
SECTIONS = False


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman tune`."""

    model: str = ""
    "The model to tune: a folder, a run's model, builtin:minilm or hf:owner/name."
    data: str = ""
    "The rows to learn from: jsonl, csv, tsv, parquet, conll or json, or hf:owner/name."
    task: str = ""
    "classify, tag, answer, summarize, translate, chat or write; empty is guessed from the rows and said."
    shape: str = ""
    "How a row is written, such as instruct, chat or squad; empty is guessed and said."
    template: str = "auto"
    "How a dialogue is written: auto takes the model's own chat template, else instruct; roles, plain or a .jinja file."
    prompt: str = ""
    'A prompt template over the columns, such as "Is it good? {{text}} ||| {{label}}".'
    instruction: str = ""
    "What the model is told in front of every text, or around it where it holds {text}."
    columns: Mapping[str, str] = field(default_factory=dict)
    "Which column means what, such as columns.text=en columns.label=de."
    test: str = ""
    "A file of its own for the sealed test; empty takes a part of the rows."
    method: str = "auto"
    "Which weights learn; auto takes all of a small model, else lora, else qlora where memory asks for it."
    replay: float = 0.0
    "The share of each step that is general text, so that less is forgotten; 0.25 is one row in four."
    general: str = "builtin:stdlib-topics"
    "The texts that are replayed, and on others of which forgetting is measured."
    rows: int = 0
    "Take only this many rows, drawn with the seed; 0 takes all."
    max_length: int = 0
    "The most tokens of an example; 0 takes 512, or 128 where labels or tags are learnt."
    max_tokens: int = 256
    "The most tokens of an answer."
    memory: str = ""
    "The memory there is, such as 8 GiB; empty is what is free."
    train: Mapping[str, Any] = field(default_factory=dict)
    "Settings of the loop, such as train.epochs=2, train.rate=1e-4, train.batch=4."
    tuning: Mapping[str, Any] = field(default_factory=dict)
    "Settings of the method, such as tuning.rank=16."
    objective: str | Mapping[str, Any] = ""
    """What is learnt; empty takes the task's own, and dpo, kto or orpo learn from preferences. Its settings as
    objective.turns=last, objective.neftune=5."""
    name: str = ""
    "A name for the report; empty takes the data's."
    dry: bool = False
    "Show the plan, and train nothing."
    runs: str = "runs"
    "The folder of the runs."


@dataclass(frozen=True)
class _Work:
    """Everything that was settled before the work began."""

    project: Project
    plan: Plan
    why: str
    methods: list[Method]
    said: tuple[str, ...]


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Tune, prove, report; what is said of a project's settings is said in the words of this verb."""
    try:
        return _run(settings, show)
    except UserError as wrong:
        raise type(wrong)(own_words(wrong.problem), own_words(wrong.hint)) from wrong


def _run(settings: Settings, show: Show) -> int:
    for name, what in (("model", "model is"), ("data", "rows are")):
        if not getattr(settings, name):
            raise UserError(f"no {what} named", "name both: dragoman tune MODEL rows.jsonl")
    with show.board(f"tune {Path(settings.model).name}") as board:
        with board.step("read") as tick:
            project, said = _project(settings, tick)
        with board.step("prepare") as tick:
            gathered = gather(project, tick)
            prepared = prepare(project, gathered, tick)
        with board.step("check") as tick:
            from dragoman.stages.check_writing import inspected

            named, own = plug_or_settings(settings.objective, "objective")
            found, views = inspected(project, gathered, tick, {} if named else own)
            tick(1.0, many(len(found), "finding"))
        with board.step("plan") as tick:
            tick(0.2, "measuring this machine")
            work = _planned(settings, project, prepared, said)
            tick(1.0, f"{work.plan.tuning}: {work.why}")
        proven = None if settings.dry else _proven(work, prepared, views, board, show)
    told = [one for one in found if one.severity != "note"]
    tell([replace(one, message=own_words(one.message), hint=own_words(one.hint)) for one in told], show)
    show.table("methods", ("method", "learns", "memory", "time", ""), rows_of(work.methods))
    if proven is None:
        return _dry(work, prepared, show)
    pair, page = proven
    show.card(f"tuned {Path(settings.model).name}", card_of(pair, work.said, page), mark=pair.mark)
    show.result(pair.result(page), always=False)
    return 0 if pair.better else 1


def _project(settings: Settings, tick: Any) -> tuple[Project, tuple[str, ...]]:
    """The project that a person would have written, with every guess said."""
    tick(0.3, f"reading {settings.data}")
    columns: Columns = build(Columns, settings.columns, "columns")
    first = load(settings.data, task=settings.task, shape=settings.shape, template=settings.prompt, columns=columns)
    require(first, keep_going=True)
    if first.shape == "plain":
        raise UserError(
            f"{settings.data} holds plain texts, in which nothing is asked or answered",
            f"go on pretraining with them: dragoman pretrain {settings.data} model={settings.model}",
        )
    task = settings.task or _suited(guess_task(first), first.shape, settings.model)
    guessed = [own_words(text) for text in first.said]
    said = [*guessed, f"task {task}" + ("" if settings.task else ", guessed from the rows: task=... says another")]
    leads = led_by(task, first.examples)
    if leads != LEADING[task]:
        why = rouge_blind(first.examples) if leads == "chrf" else "the tags are no ends of entities"
        said.append(f"led by {leads}: {why}")
    name = settings.name or Path(settings.data.removeprefix("hf:")).name.partition(".")[0]
    table: dict[str, Any] = {
        "scope": {
            "name": name,
            "objective": f"Tune {_called(settings.model)} on {_called(settings.data)}, and be better than without.",
            "task": task,
            "instruction": settings.instruction,
            # Better than the untouched model on the same rows is what is asked; no level is.
            "target": {leads: ">= 0.0"},
        },
        "data": {
            "source": settings.data,
            "test": settings.test,
            "shape": settings.shape or first.shape,
            "template": settings.prompt,
            "general": settings.general,
            "rows": settings.rows,
            "columns": dict(settings.columns),
            "keep_going": True,
            "overlap": "drop",
        },
        "models": {"candidates": [settings.model], "template": settings.template, "max_tokens": settings.max_tokens},
        "train": dict(settings.train),
        "runs": settings.runs,
        "root": ".",
    }
    if settings.max_length:
        table["models"]["max_length"] = settings.max_length
    tick(1.0, f"{many(len(first.examples), 'row')}, {first.shape}, task {task}")
    return overlay(table, ()), tuple(said)


def _called(spec: str) -> str:
    """What a model or a set is called where others read it: a public name whole, of a path the last name alone."""
    return spec if spec.startswith(("hf:", "builtin:")) else Path(spec).name


def _suited(task: str, shape: str, model: str) -> str:
    """The task that was guessed, or, where its answers look like labels and the model is one that writes, chat."""
    from dragoman.models.source import resolve

    if task in ("classify", "tag") and shape != "tag" and model_kind(resolve(model)) != "encoder":
        return "chat"
    return task


def _planned(settings: Settings, project: Project, prepared: Run, said: tuple[str, ...]) -> _Work:
    """The method, checked with all its settings before anything learns."""
    from dragoman.models.source import resolve
    from dragoman.nn.footprint import count
    from dragoman.nn.store import read_arch

    folder = resolve(project.place(settings.model))
    arch = read_arch(folder)
    how = batched(project, prepared, planned(project, {}))
    how = replace(how, max_length=min(how.max_length, arch.longest or how.max_length))
    objective, aimed = aimed_at(project, settings.model)
    named, own = plug_or_settings(settings.objective, "objective")
    if named and model_kind(folder) != "decoder":
        raise UserError(f"{named} is learnt by a model that writes one word after the other", "leave objective out")
    objective, aimed = (named, own) if named else (objective, {**aimed, **own})
    needs = OBJECTIVES.kind(objective).needs if objective in OBJECTIVES.names() else ()
    if "reward" in needs or objective == "reward":
        raise UserError(f"tune learns from rows, and {objective} is another thing", f"train objective={objective}")
    if settings.replay:
        if not writes(objective) or arch.kind != "decoder":
            raise UserError(f"{objective} replays no texts", "leave replay out, or tune a decoder")
        aimed["replay"] = settings.replay
    OBJECTIVES.make(objective, aimed, "objective")
    card = prepared.results["card"]
    tokens = int(card["parts"]["train"] * tokens_an_example(card)) * (2 if "preferences" in needs else 1)
    memory = parse_bytes(settings.memory, "memory") if settings.memory else free_memory()
    seconds = 2.0 if settings.method == "auto" or settings.dry else 0.0
    methods = methods_of(arch, how, tokens, memory, seconds, settings.tuning)
    if writes(objective):
        method, why = choose_method(settings.method, methods, count(arch).total)
    else:
        method = "full" if settings.method == "auto" else settings.method
        why = "an encoder is small, so all of it learns" if settings.method == "auto" else "it was asked for"
    TUNINGS.make(method, settings.tuning, "tuning")
    build(How, dump(how), "train")
    plan = Plan(settings.model, method, how, dict(settings.tuning), objective, aimed)
    return _Work(project, plan, why, methods, said)


def _proven(
    work: _Work, prepared: Run, views: Sequence[Mapping[str, Any]], board: Board, show: Show
) -> tuple[Pair, str]:
    """Train, and let the untouched and the tuned model answer the same sealed rows."""
    project, plan = work.project, work.plan
    settings = {"scope": dump(project.scope), "plan": dump(plan), "data": project.data.general}
    settings |= {"models": dump(project.models)}
    this = Run.begin(project.runs_folder, "tune", settings, {"parts": prepared})
    with durable.lock(this.folder):
        with board.step("baseline") as tick:
            base = _base(work, prepared, tick)
            tick(1.0, "the untouched model is asked as it stands" if base else "the untouched model cannot answer")
        with board.step(plan.tuning) as tick:
            made = train(project, prepared, plan, lambda text: show.say(own_words(text)), tick)
        with board.step("test") as tick:
            seal = seal_of(prepared)
            rows, openings = read_again(seal) if this.finished else open_sealed(seal, f"{this.id}: {made.id}")
            tuned = measure(open_assistant(made), rows, "sealed test", _half(tick, 0.0))
            old: Measured | None = None
            if base is not None:
                opened = open_assistant(base)
                old = measure(opened, rows, "sealed test", _half(tick, 0.5), requests=0)
            tick(1.0, f"{many(len(rows), 'row')} that neither had seen")
        with board.step("report") as tick:
            pair = Pair(project, plan, prepared, made, tuned, base, old, openings, this)
            record = record_of(pair, work.why, work.said, [dump(one) for one in work.methods])
            record["tokens"] = list(views)
            page = write_report(this, record)
            if not this.finished:
                this.finish({**record, "rung_run": made.id})
            tick(1.0, page)
    return pair, page


def _half(tick: Tick, begin: float) -> Tick:
    """Progress through one half of a step."""

    def told(done: float, text: str = "") -> None:
        tick(begin + done / 2, text)

    return told


def _base(work: _Work, prepared: Run, tick: Any) -> Run | None:
    """The run of the untouched model; None where it has no way to answer, as an encoder whose head is new."""
    from dragoman.models.source import fingerprint, resolve

    project, plan = work.project, work.plan
    if writes(plan.objective):
        folder = resolve(project.place(plan.model))
        base = (plan.model, folder, fingerprint(folder))
        return prompted(project, prepared, "zero_shot", base, part(prepared, "train"), tick)
    if plan.objective == "classify":
        from dragoman.stages.prompts import open_base, zero_shot

        return zero_shot(project, prepared, open_base(project, plan.model), tick)
    return None


def _dry(work: _Work, prepared: Run, show: Show) -> int:
    """The plan alone."""
    plan, card = work.plan, prepared.results["card"]
    chosen = next((one for one in work.methods if one.name == plan.tuning), None)
    rows = [("guessed", text) for text in work.said]
    rows += [("rows", ", ".join(f"{count:,} {name}" for name, count in card["parts"].items()))]
    rows += [("method", f"{plan.tuning}: {work.why}"), ("objective", plan.objective)]
    if chosen is not None:
        rows += [("memory", show_bytes(chosen.memory)), ("time", show_seconds(chosen.seconds))]
    rows += [("then", "the same command without --dry")]
    show.card("plan", rows, mark="good")
    show.result(
        {
            "task": work.project.scope.task,
            "objective": plan.objective,
            "method": plan.tuning,
            "why": work.why,
            "rows": card["parts"],
            "methods": [dump(one) for one in work.methods],
            "said": list(work.said),
        }
    )
    return 0
