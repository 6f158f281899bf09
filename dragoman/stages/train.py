"""Train one adaptation: any objective with any tuning, through the one loop.

It can be killed at any instant; the same command goes on and ends bit for bit as if it had never stopped.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dragoman.app.assistant import Assistant
from dragoman.app.steps.classify import Classify
from dragoman.core import durable
from dragoman.core.config import build, dump, merge, parse_word
from dragoman.core.doors import LM, Embedder
from dragoman.core.errors import UserError
from dragoman.core.project import Project, load, locate
from dragoman.core.runs import Run
from dragoman.core.show import Show, Tick, silent
from dragoman.core.sizing import reset_peak_memory, show_bytes, show_seconds
from dragoman.core.targets import Criterion
from dragoman.core.types import Example
from dragoman.data.builtin import summaries
from dragoman.evals.task import make_metrics
from dragoman.stages.assistants import MODEL, write_card
from dragoman.stages.plugs import plug
from dragoman.stages.prepare import gather, part, prepare
from dragoman.train.doors import OBJECTIVES, TUNINGS, How

if TYPE_CHECKING:
    from dragoman.nn.heads import Classifier
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.session import Outcome

__all__ = [
    "PLACES",
    "SECTIONS",
    "Plan",
    "Settings",
    "discard",
    "measure_of",
    "planned",
    "run",
    "stored_project",
    "train",
    "watched",
]

PLACES = ("project",)
SECTIONS = True
PROBE = 64  # texts that parity is asserted on
PAIRS = 300
PARITY = 1e-4  # probabilities of one text, from two forms of the same weights, in fp32


Vectors = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Settings:
    """The words of `dragoman train`."""

    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    tuning: str | Mapping[str, Any] = "lora"
    "Which weights learn: head, layers, lora or full; its own settings as tuning.rank=16."
    objective: str | Mapping[str, Any] = "classify"
    """What is learnt: classify, or clm, mlm or span, which need no project but a corpus; its own settings as
    objective.class_weights=balanced."""
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


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Train once with the given settings and measure nothing but validation."""
    objective, aimed = plug(settings.objective, "objective")
    if getattr(OBJECTIVES.kind(objective), "kind", ""):
        return _on_texts(settings, words, show)
    project = load(locate(settings.project), words)
    tuning, tuned = plug(settings.tuning, "tuning")
    how = planned(project, {})
    plan = Plan(settings.model or project.models.candidates[0], tuning, how, tuned, objective, aimed)
    _made(plan)
    with show.board(project.scope.name) as board:
        with board.step("prepare") as tick:
            prepared = prepare(project, gather(project, tick), tick)
        with board.step(tuning) as tick:
            done = train(project, prepared, plan, show.say, tick)
    facts = done.results
    rows = [("learnt", f"{facts['learnt']:,} of {facts['weights']:,} weights, {facts['steps']} steps")]
    rows += [("took", f"{show_seconds(facts['seconds'])}, {show_bytes(facts['memory'])} at the peak")]
    rows += [(f"validation {name}", f"{value:.4f}") for name, value in facts["best"].items()]
    rows += [("model", str(done.folder / MODEL)), ("run", done.id), ("then", f"dragoman evaluate {done.id} data=PATH")]
    show.card(tuning, rows, mark="good")
    show.result(
        {"run": done.id, "model": str(done.folder / MODEL), "validation": facts["best"], "steps": facts["steps"]}
    )
    return 0


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
    watch = watched(project)
    settings = {
        "tuning": {"name": plan.tuning, **dump(tuning)},
        "objective": {"name": plan.objective, **dump(objective)},
        "train": dump(plan.how),
        "labels": prepared.results["labels"],
        "multi_label": project.scope.multi_label,
        "watch": watch.metric,
        "rows": plan.rows,
    }
    inputs: dict[str, Run | str | Path] = {"parts": prepared, plan.model: fingerprint(base)}
    run = Run.begin(project.runs_folder, plan.tuning, settings, inputs)
    if run.finished and run.results.get("discarded") and not figures:
        shutil.rmtree(run.folder)
        run = Run.begin(project.runs_folder, plan.tuning, settings, inputs)
    if run.finished:
        tick(1.0, "found again")
        return run
    return _train(project, prepared, plan, run, base, said, tick)


def _train(
    project: Project,
    prepared: Run,
    plan: Plan,
    run: Run,
    base: Path,
    said: Callable[[str], None],
    tick: Tick,
) -> Run:
    from dragoman.nn.store import load_classifier
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.session import Watch, learn

    objective, tuning = _made(plan)
    labels, several = tuple(prepared.results["labels"]), project.scope.multi_label
    rows, validation = part(prepared, "train"), part(prepared, "validation")
    tokenizer = Tokenizer(base)
    net = load_classifier(base, labels, several, seed=plan.how.seed)
    tokenizer.fit(net.arch)
    tokenizer.max_length = plan.how.max_length
    watch = watched(project)
    reset_peak_memory()
    outcome = learn(
        net,
        tokenizer,
        objective,
        tuning,
        rows[: plan.rows or None],
        plan.how,
        run.folder / "training",
        measure_of(validation, labels, several, watch, tokenizer),
        Watch(watch.metric, watch.higher),
        said,
        tick,
    )
    tick(1.0, "saving and holding the forms against each other")
    facts = _facts(outcome)
    facts |= _keep(run, plan, outcome, tuning, tokenizer, base, validation[:PROBE])
    facts |= {"project": stored_project(project), "base": plan.model}
    run = run.finish(facts, published=(MODEL, "adapter") if plan.tuning == "lora" else (MODEL,))
    shutil.rmtree(run.folder / "training", ignore_errors=True)
    return run


def discard(run: Run) -> None:
    """Keep the figures of a training that lost to another, and let its weights go."""
    if run.record["published"]:
        folders = list(run.record["published"])
        run.finish({**run.results, "discarded": True}, published=())
        for name in folders:
            shutil.rmtree(run.folder / name, ignore_errors=True)


def measure_of(
    examples: Sequence[Example], labels: tuple[str, ...], several: bool, watch: Criterion, tokenizer: "Tokenizer"
) -> Callable[["Classifier"], Mapping[str, float]]:
    """What validation shows of a net, measured through the assistant that would serve it."""
    from dragoman.models.classifier import LocalClassifier

    names = [watch.metric, *(name for name in ("accuracy", "log_loss") if name != watch.metric)]
    metrics = make_metrics(names, labels, several)

    def measure(net: "Classifier") -> Mapping[str, float]:
        device = next(net.parameters()).device
        assistant = Assistant(LocalClassifier(net, tokenizer, device=device), (Classify(labels, several),))
        turns = assistant.answer([example.text for example in examples])
        rows = {
            name: np.stack(
                [metric.measure(turn.answer, one.answers) for turn, one in zip(turns, examples, strict=True)]
            )
            for name, metric in metrics.items()
        }
        return {name: metric.combine(rows[name]) for name, metric in metrics.items()}

    return measure


def _facts(outcome: "Outcome") -> dict[str, Any]:
    """What is recorded of a training."""
    return {
        "best": dict(outcome.best),
        "best_step": outcome.best_step,
        "steps": outcome.steps,
        "planned": outcome.planned,
        "history": [dict(point) for point in outcome.history],
        "losses": list(outcome.losses),
        "stretch": outcome.stretch,
        "order": outcome.chain,
        "seconds": outcome.seconds,
        "tokens": outcome.tokens,
        "memory": outcome.memory,
        "learnt": outcome.learnt,
        "weights": sum(weight.numel() for weight in outcome.net.parameters()),
        "cut": outcome.cut,
    }


def _keep(
    run: Run, plan: Plan, outcome: "Outcome", tuning: Any, tokenizer: "Tokenizer", base: Path, probe: Sequence[Example]
) -> dict[str, Any]:
    """Save the model in every form, and assert that wrapped, merged, saved and served answer alike."""
    from dragoman.models.classifier import LocalClassifier
    from dragoman.models.open import open_classifier
    from dragoman.nn.store import save_classifier
    from dragoman.train.adapter import write_adapter

    labels, several = outcome.net.labels, outcome.net.multi_label
    messages = [example.prompt for example in probe]

    def scores(lm: LM) -> NDArray[np.float64]:
        return np.exp(np.asarray(lm.score(messages, labels)))

    net = outcome.net.cpu()
    forms = {"trained": scores(LocalClassifier(net, tokenizer))}
    adapter = run.folder / "adapter"
    if plan.tuning == "lora":

        def beside(stage: Path) -> None:
            write_adapter(net, tuning, stage, plan.model)
            tokenizer.save(stage)

        durable.publish(adapter, beside)
    net = tuning.merge(net)
    forms["merged"] = scores(LocalClassifier(net, tokenizer))

    def fill(stage: Path) -> None:
        save_classifier(net, tokenizer, stage)
        card = {
            "kind": "classifier",
            "labels": list(labels),
            "multi_label": several,
            "max_length": tokenizer.max_length,
        }
        write_card(stage, {**card, "base": plan.model, "tuning": plan.tuning})

    durable.publish(run.folder / MODEL, fill)
    saved = open_classifier(run.folder / MODEL)
    forms["saved"] = scores(saved)
    served = Assistant(saved, (Classify(labels, several),)).answer([example.text for example in probe])
    forms["served"] = np.array([[turn.answer.scores[label] for label in labels] for turn in served])
    if plan.tuning == "lora":
        forms["adapter"] = scores(open_classifier(base, adapter=adapter, labels=labels, multi_label=several))
    size = sum(file.stat().st_size for file in (run.folder / MODEL).iterdir())
    return {"parity": _parity(forms), "forgetting": _forgotten(base, run.folder / MODEL, plan), "bytes": size}


def _parity(forms: Mapping[str, NDArray[np.float64]]) -> list[dict[str, Any]]:
    """Each form against the trained one. A difference is a bug, and is not passed on."""
    first = forms["trained"]
    found = []
    for name, other in forms.items():
        if name != "trained":
            gap = float(np.abs(first - other).max())
            same = bool((first.argmax(axis=1) == other.argmax(axis=1)).all())
            found.append({"pair": f"trained = {name}", "difference": gap, "tolerance": PARITY, "same_answers": same})
            if gap > PARITY:
                raise RuntimeError(f"parity broke: trained and {name} differ by {gap:.2g} in a probability")
    return found


def _forgotten(base: Path, model: Path, plan: Plan) -> dict[str, Any]:
    """What the encoder could do before and can no longer: find the text that belongs to a summary, among 300."""
    from dragoman.evals.forgetting import forgetting
    from dragoman.models.open import open_embedder

    length = min(plan.how.max_length, 128)
    after = _probed(open_embedder(model, max_length=length))
    card = forgetting(_before(base, length), after)
    probe = f"finding the text that belongs to a summary, among {PAIRS} of the standard library's documentation"
    return {"probe": probe, **{name: asdict(getattr(card, name)) for name in ("before", "after", "drop")}}


@cache
def _before(base: Path, length: int) -> Vectors:
    """The untouched model's vectors; every rung is held against the same ones."""
    from dragoman.models.open import open_embedder

    return _probed(open_embedder(base, max_length=length))


def _probed(embedder: Embedder) -> Vectors:
    pairs = summaries(PAIRS)
    return embedder.embed([one for one, _ in pairs]), embedder.embed([two for _, two in pairs])
