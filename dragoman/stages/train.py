"""Train one adaptation: any objective with any tuning, through the one loop.

It can be killed at any instant; the same command goes on and ends bit for bit as if it had never stopped.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dragoman.core.config import build, dump, merge, parse_word
from dragoman.core.errors import UserError
from dragoman.core.project import Project, load, locate
from dragoman.core.runs import Run
from dragoman.core.show import Show, Tick, silent
from dragoman.core.sizing import show_bytes, show_seconds
from dragoman.core.targets import Criterion
from dragoman.stages.assistants import MODEL
from dragoman.stages.job import Job
from dragoman.stages.judges import identity
from dragoman.stages.language import KINDS
from dragoman.stages.plugs import plug, plug_or_settings
from dragoman.stages.prepare import gather, part, prepare
from dragoman.stages.report import write_report
from dragoman.stages.train_record import told_learning
from dragoman.stages.writing import known, model_kind, objective_of, texts_beside, tokens_an_example, writes
from dragoman.train.doors import OBJECTIVES, TUNINGS, How

__all__ = [
    "PLACES",
    "SECTIONS",
    "Plan",
    "Settings",
    "aimed_at",
    "batched",
    "discard",
    "planned",
    "run",
    "stored_project",
    "train",
    "usual_rate",
    "watched",
]

PLACES = ("project",)
SECTIONS = True
EXAMPLES = 16  # of a step, of a model that writes


@dataclass(frozen=True)
class Settings:
    """The words of `dragoman train`."""

    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    tuning: str | Mapping[str, Any] = "lora"
    """Which weights learn: head, layers, lora, full, and bitfit, ia3, dora, qlora, adapter, prefix or soft_prompt; its
    own settings as tuning.rank=16."""
    objective: str | Mapping[str, Any] = ""
    """What is learnt; empty takes the task's: classify, tag, extract, sft or seq2seq. clm, mlm and span need no project
    but a corpus. Its own settings as objective.class_weights=balanced."""
    model: str = ""
    "The model to adapt; empty takes the first of models.candidates, or for a corpus one that has learnt nothing."
    corpus: str = ""
    "For clm, mlm and span: the folder that `dragoman corpus` wrote, or texts."
    size: str = ""
    "For clm, mlm and span: how large a model is that has learnt nothing, such as 15M or gpt2/small."
    family: str = ""
    "For clm, mlm and span: its architecture; empty takes qwen3, bert or t5."


@dataclass(frozen=True)
class Plan:
    """One training as it is to be done, every choice made."""

    model: str
    tuning: str
    how: How
    tuning_settings: Mapping[str, Any] = field(default_factory=dict)
    objective: str = "classify"
    objective_settings: Mapping[str, Any] = field(default_factory=dict)
    rows: int = 0
    "Learn from this many rows; 0 takes all."
    rung: str = ""
    "What its run is called; empty takes what the objective makes, else the tuning's name."

    @property
    def verb(self) -> str:
        """What its run is called: a rung, or `reward` for a model that scores."""
        needs = OBJECTIVES.kind(self.objective).needs
        made = "ppo" if "reward" in needs else "preference" if "preferences" in needs else self.tuning
        return self.rung or ("reward" if self.objective == "reward" else made)


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Train once with the given settings and measure nothing but validation."""
    objective, aimed = plug_or_settings(settings.objective, "objective")
    if objective in KINDS:
        return _on_texts(settings, words, show)
    project = load(locate(settings.project), words)
    tuning, tuned = plug(settings.tuning, "tuning")
    how = planned(project, {})
    model = settings.model or project.models.candidates[0]
    if not objective:
        objective, usual = aimed_at(project, model)
        aimed = {**usual, **aimed}
    plan = Plan(model, tuning, how, tuned, objective, aimed)
    _made(plan)
    with show.board(project.scope.name) as board:
        with board.step("prepare") as tick:
            prepared = prepare(project, gather(project, tick), tick)
        with board.step(tuning) as tick:
            done = train(project, prepared, plan, show.say, tick)
    facts, page = done.results, write_report(done, done.results)
    rows = [("learnt", f"{facts['learnt']:,} of {facts['weights']:,} weights, {facts['steps']} steps")]
    rows += [("what learns", told_learning(facts.get("learning", ())))]
    rows += [("took", f"{show_seconds(facts['seconds'])}, {show_bytes(facts['memory'])} at the peak")]
    figures = {name: value for name, value in facts["best"].items() if not isinstance(value, list)}  # not those of rows
    rows += [(f"validation {name}", f"{value:.4f}") for name, value in figures.items()]
    rows += _aligned_rows(facts) + _scored_rows(facts)
    rows += [("model", str(done.folder / MODEL)), ("report", page), ("run", done.id)]
    used = f"train objective=rloo objective.reward={done.id}" if "scorer" in facts else f"evaluate {done.id} data=PATH"
    rows += [("then", f"dragoman {used}")]
    show.card(tuning, rows, mark="good")
    told = {"run": done.id, "model": str(done.folder / MODEL), "report": page, "validation": figures}
    show.result({**told, "steps": facts["steps"]})
    return 0


def _aligned_rows(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a card tells of a policy: what the same prompts were worth before and after, and why it ended."""
    told = facts.get("alignment")
    if not told:
        return []
    gain = told["gain"]
    span = f"{gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}] on {gain['n']} prompts"
    rows = [("reward", f"{told['before']['reward']:.3f} before, {told['after']['reward']:.3f} after: {span}")]
    rows += [("KL", f"{told['after']['kl']:.2f} nats an answer, at step {told['kept_step']}, which is kept")]
    return rows + [("stopped", said) for said in [told["stopped"]] if said]


def _scored_rows(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a card tells of a model that scores answers: how often it was right, beside what it must beat."""
    told = facts.get("scorer")
    if not told:
        return []

    def share(one: Mapping[str, Any]) -> str:
        return "{value:.1%} [{low:.1%}, {high:.1%}]".format(**one["accuracy"])

    rows = [("accuracy", f"{share(told)} of {told['pairs']:,} pairs of validation")]
    rows += [(f"  {name}", share(one)) for name, one in sorted(told["baselines"].items())]
    return [*rows, ("calibration", f"{told['nll']['value']:.4f} nats a pair, slope {told['slope']:.2f}")]


def _on_texts(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """One training of a language model, as `dragoman pretrain` does it, with the size and the steps given."""
    from dragoman.stages import pretrain

    table: dict[str, Any] = {}
    for word in words:
        path, value = parse_word(word)
        if path[0] not in ("train", "runs"):
            raise UserError(
                f"there is no setting '{path[0]}' where a language model is trained on texts",
                "its settings are train.*, objective.*, corpus, model, size and family",
            )
        table = merge(table, path, value)
    if not settings.corpus:
        raise UserError("no texts are named to learn from", "name them: dragoman train objective=clm corpus=FOLDER")
    given = {"source": settings.corpus, "objective": settings.objective, "model": settings.model}
    given |= {"size": settings.size or "auto", "family": settings.family}
    if settings.tuning not in ("lora", "scratch"):
        raise UserError(f"a language model learns whole here, not by {settings.tuning}", "leave tuning=... out")
    return pretrain.run(build(pretrain.Settings, {**given, **table}), (), show)


def aimed_at(project: Project, model: str) -> tuple[str, dict[str, Any]]:
    """The objective by which a model learns the project's task, and its settings: several sets are mixed.

    Raises UserError where the model cannot learn it.
    """
    from dragoman.models.source import resolve

    own = dict(project.objective)
    if project.scope.task == "classify":
        return "classify", own
    found = objective_of(project.scope.task, model_kind(resolve(project.place(model))))
    if writes(found) and project.data.source.endswith(".toml"):
        return "multitask", {"of": found, **own}
    return found, own


def planned(project: Project, own: Mapping[str, Any]) -> How:
    """The settings of the loop: the project's [train], then what the rung was planned with."""
    table = {"max_length": project.models.max_length, **project.train, **own}
    how: How = build(How, table, "train")
    return how


def _made(plan: Plan) -> tuple[Any, Any]:
    """The objective and the tuning with their settings checked."""
    objective = OBJECTIVES.make(plan.objective, plan.objective_settings, "objective")
    return objective, TUNINGS.make(plan.tuning, plan.tuning_settings, "tuning")


def stored_project(project: Project) -> dict[str, Any]:
    """The project as a run keeps it, so that the run can be judged and served without the file."""
    stored: dict[str, Any] = dump(project)
    return stored


def watched(project: Project) -> Criterion:
    """The first target: what trainings are chosen by."""
    return next(one for one in project.scope.criteria() if one.kind == "target")


def train(
    project: Project,
    prepared: Run,
    plan: Plan,
    said: Callable[[str], None],
    tick: Tick = silent,
    figures: bool = False,
) -> Run:
    """The run of one training: begun, gone on with, or found again (for `figures`, also one whose weights are gone)."""
    from dragoman.models.source import fingerprint, resolve

    objective, tuning = _made(plan)
    base = resolve(project.place(plan.model))
    plan = replace(plan, how=_settled(project, prepared, plan, objective))
    settings = {
        "tuning": {"name": plan.tuning, **dump(tuning)},
        "objective": {"name": plan.objective, **dump(objective)},
        "train": dump(plan.how),
        "labels": prepared.results["labels"],
        "multi_label": project.scope.multi_label,
        "watch": watched(project).metric,
        "rows": plan.rows,
    }
    inputs: dict[str, Run | str | Path] = {"parts": prepared, plan.model: fingerprint(base)}
    if teacher := str(getattr(objective, "teacher", "")):
        away = teacher.startswith(("openai:", "fake:"))
        inputs["teacher"] = teacher if away else fingerprint(resolve(teacher))
    for name in ("reward", "second"):
        if spec := str(getattr(objective, name, "")):
            inputs[name] = identity(project, spec)
    if project.scope.task != "classify":
        settings |= known(project)
        inputs |= texts_beside(project)
    run = Run.begin(project.runs_folder, plan.verb, settings, inputs)
    if run.finished and run.results.get("discarded") and not figures:
        shutil.rmtree(run.folder)
        run = Run.begin(project.runs_folder, plan.verb, settings, inputs)
    if run.finished:
        tick(1.0, "found again")
        return run
    return _learn(project, prepared, plan, run, base, said, tick)


def _settled(project: Project, prepared: Run, plan: Plan, objective: Any) -> How:
    """The settings of the loop that suit what is learnt, where none were given; the run is known by them."""
    if "reward" in objective.needs:
        from dragoman.stages.train_policy import paced

        rows = int(prepared.results["card"]["parts"]["train"])
        return paced(objective, plan.how, project.train, min(plan.rows, rows) or rows)
    if "preferences" in objective.needs:  # a row is one answer, and nothing is packed
        return plan.how
    return batched(project, prepared, plan.how)


def _learn(
    project: Project,
    prepared: Run,
    plan: Plan,
    run: Run,
    base: Path,
    said: Callable[[str], None],
    tick: Tick,
) -> Run:
    """Train by the road of the objective, and finish the run."""
    objective, tuning = _made(plan)
    if not writes(plan.objective) and not getattr(tuning, "merges", True):
        raise UserError(
            f"what {plan.tuning} learns cannot be merged, and a model that {project.scope.task}s is saved whole",
            "choose another one: tuning=lora",
        )
    gentle = float(getattr(objective, "gentle", 1.0))
    job = Job(
        project=project,
        labels=tuple(prepared.results["labels"]),
        train=part(prepared, "train")[: plan.rows or None],
        validation=part(prepared, "validation"),
        run=run,
        model=plan.model,
        base=base,
        objective=objective,
        tuning=tuning,
        tuning_name=plan.tuning,
        how=plan.how if plan.how.rate else replace(plan.how, rate=usual_rate(plan.tuning, base) * gentle),
        said=said,
        tick=tick,
    )
    facts, published = _road(plan.objective)(job)
    run = run.finish({**facts, "project": stored_project(project), "base": plan.model}, published=published)
    shutil.rmtree(run.folder / "training", ignore_errors=True)
    return run


def _road(objective: str) -> Callable[[Job], tuple[dict[str, Any], tuple[str, ...]]]:
    """How what learns by this objective is trained and kept."""
    if "reward" in OBJECTIVES.kind(objective).needs:
        from dragoman.stages.train_policy import train_policy

        return train_policy
    if objective == "reward":
        from dragoman.stages.train_scorer import train_scorer

        return train_scorer
    if writes(objective):
        from dragoman.stages.train_writer import train_writer

        return train_writer
    if objective == "classify":
        from dragoman.stages.train_classifier import train_classifier

        return train_classifier
    from dragoman.stages.train_reader import train_reader

    return train_reader


def batched(project: Project, prepared: Run, how: How) -> How:
    """The settings with the rows of a step that suit these examples, where none were given.

    A row of a model that writes is packed with as many examples as fit, and a step has about sixteen of them: with a
    fixed number of rows, short examples would leave a few steps an epoch, in which little can be learnt.
    """
    if project.scope.task in ("classify", "tag") or "batch" in project.train:
        return how
    each = min(tokens_an_example(prepared.results["card"]), how.max_length)
    return replace(how, batch=min(16, max(1, round(EXAMPLES * each / how.max_length))))


def usual_rate(tuning: str, base: Path) -> float:
    """The rate of a tuning on the model of a folder.

    All weights of a model that writes learn at 5e-5 where it is 1,024 wide, and the wider, the slower: the steps that
    suit a wide matrix are smaller in proportion (Yang et al. 2022, 2203.03466).
    """
    from dragoman.nn.store import read_arch

    rate = float(TUNINGS.kind(tuning).rate)
    if tuning != "full" or (arch := read_arch(base)).kind == "encoder":
        return rate
    return min(5e-4, max(1e-5, 5e-5 * 1024 / arch.width))


def discard(run: Run) -> None:
    """Keep the figures of a training that lost to another, and let its weights go."""
    if run.record["published"]:
        folders = list(run.record["published"])
        run.finish({**run.results, "discarded": True}, published=())
        for name in folders:
            shutil.rmtree(run.folder / name, ignore_errors=True)
