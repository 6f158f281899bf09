"""Climbs the ladder: each rung is made, measured and compared with the one below, until one is proven good enough."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from dragoman.core.config import dump
from dragoman.core.doors import Metric, Row
from dragoman.core.errors import UserError
from dragoman.core.project import Project
from dragoman.core.runs import Run
from dragoman.core.show import Board, Tick, figure
from dragoman.core.targets import Criterion
from dragoman.core.types import Estimate
from dragoman.evals.advice import advise, learning_curve, suspected_noise
from dragoman.evals.ladder import Choice, RungResult, choose, next_move, standing
from dragoman.evals.task import asked
from dragoman.stages.assistants import ALIGNED, PROMPTED, RAG, open_assistant
from dragoman.stages.climb_aligned import aligned, wins
from dragoman.stages.evaluate import Measured, measure
from dragoman.stages.judges import judges_of
from dragoman.stages.plan import RungPlan, how_of, keep_correction
from dragoman.stages.prepare import part
from dragoman.stages.prompts import Candidate, few_shot, open_base, zero_shot
from dragoman.stages.train import Plan, aimed_at, discard, train, watched
from dragoman.stages.writers import prompted
from dragoman.stages.writing import model_kind, objective_of

__all__ = ["Climbed", "Rung", "advice", "climb", "ladder_rows", "pick_base"]

Say = Callable[[str], None]
COMPARED = 50  # rows of validation on which untouched models are compared


@dataclass(frozen=True)
class Rung:
    """One rung that was climbed."""

    plan: RungPlan
    run: Run
    trials: tuple[Run, ...]
    measured: Measured
    seconds: float
    "What it took: every trial, the training, and the evaluation."
    below: str = ""
    "The rung it went on from, where it did"
    wins: Mapping[str, Estimate] = field(default_factory=dict)
    "How often each judge puts its answer above that of the rung it went on from."

    def result(self) -> RungResult:
        """What the stop rule reads."""
        report = self.measured.report
        return RungResult(self.plan.rung, self.measured.estimates, self.seconds, report.measured, report.groups)


@dataclass(frozen=True)
class Climbed:
    """The ladder as far as it was climbed, and the rung that is taken."""

    rungs: tuple[Rung, ...]
    choice: Choice
    skipped: tuple[RungPlan, ...]

    @property
    def chosen(self) -> Rung:
        """The rung that is taken."""
        return next(rung for rung in self.rungs if rung.plan.rung == self.choice.rung)


def pick_base(project: Project, prepared: Run, tick: Tick) -> tuple[Candidate, list[dict[str, Any]]]:
    """The candidate that climbs: the only one, or the one whose few-shot vote on left-out training rows is best."""
    if project.scope.task != "classify":
        return _pick_writer(project, prepared, tick)
    bases = [open_base(project, spec) for spec in project.models.candidates]
    if len(bases) == 1:
        return bases[0], []
    found = []
    for base in bases:
        tick(0.1, f"comparing candidates: {base.spec}")
        found.append((float(few_shot(project, prepared, base, tick).results["left_out_accuracy"]), base))
    best = max(found, key=lambda pair: pair[0])[1]
    return best, [{"model": base.spec, "left_out_accuracy": score, "chosen": base is best} for score, base in found]


def _pick_writer(project: Project, prepared: Run, tick: Tick) -> tuple[Candidate, list[dict[str, Any]]]:
    """The same where answers are no labels: the only candidate, or the one that answers validation best untouched."""
    from dragoman.models.source import fingerprint, resolve

    bases = []
    if set(project.ladder.rungs) == {RAG}:
        folder = resolve(project.place(project.models.candidates[0]))  # no model is adapted, so any will do
        return Candidate(project.models.candidates[0], folder, fingerprint(folder)), []
    for spec in project.models.candidates:
        folder = resolve(project.place(spec))
        objective_of(project.scope.task, model_kind(folder))
        bases.append(Candidate(spec, folder, fingerprint(folder)))
    if len(bases) == 1:
        return bases[0], []
    rows, watch, found = part(prepared, "validation")[:COMPARED], watched(project), []
    for base in bases:
        tick(0.1, f"comparing candidates: {base.spec}")
        if model_kind(base.folder) == "encoder":
            raise UserError("encoders are not compared before they learn", 'name one: models.candidates=["hf:..."]')
        place = (base.spec, base.folder, base.fingerprint)
        made = prompted(project, prepared, "zero_shot", place, part(prepared, "train"))
        opened, names = open_assistant(made), asked(project.scope)
        told = measure(opened, rows, "validation, the first rows", requests=0, names=names, judges=judges_of(project))
        figures = told.estimates
        found.append((figures[watch.metric].value, base))
    best = max(found, key=lambda pair: pair[0] if watch.higher else -pair[0])[1]
    return best, [{"model": base.spec, watch.metric: score, "chosen": base is best} for score, base in found]


def climb(
    project: Project, prepared: Run, base: Candidate, plans: Sequence[RungPlan], board: Board, say: Say
) -> Climbed:
    """Climb until the stop rule says stop. Everything done is a run, so a killed climb goes on where it was."""
    criteria = project.scope.criteria()
    names = [one.rung for one in plans if one.fits]
    by_name = {one.rung: one for one in plans}
    rungs: list[Rung] = []
    while True:
        move = next_move([rung.result() for rung in rungs], names, criteria, project.ladder.all)
        if move.action == "stop":
            break
        with board.step(move.rung) as tick:
            rung = _rung(project, prepared, base, by_name[move.rung], rungs, say, tick)
            found = rung.measured.estimates[watched(project).metric]
            won = "".join(f"; {name} prefers it to {rung.below} {one.value:.0%}" for name, one in rung.wins.items())
            tick(1.0, f"{watched(project).metric} {figure(found)}{won}")
        rungs.append(rung)
    metrics: Mapping[str, Metric] = rungs[0].measured.report.task.metrics
    choice = choose([rung.result() for rung in rungs], criteria, metrics)
    _correct(project, rungs)
    return Climbed(tuple(rungs), choice, tuple(one for one in plans if not one.fits))


def _rung(
    project: Project,
    prepared: Run,
    base: Candidate,
    plan: RungPlan,
    done: Sequence[Rung],
    say: Say,
    tick: Tick,
) -> Rung:
    """Make one rung after those that are done, and measure it on validation."""
    trials: list[Run] = []
    below = _below(project, done) if plan.rung in ALIGNED else None
    if plan.rung == RAG:
        from dragoman.stages.rag import rag

        made = rag(project, prepared, tick)
    elif project.scope.task != "classify" and plan.rung in PROMPTED:
        place = (base.spec, base.folder, base.fingerprint)
        made = prompted(project, prepared, plan.rung, place, part(prepared, "train"), tick)
    elif plan.rung == "zero_shot":
        made = zero_shot(project, prepared, base, tick)
    elif plan.rung == "few_shot":
        made = few_shot(project, prepared, base, tick)
    elif plan.rung in ALIGNED:
        made = aligned(project, prepared, plan.rung, base.spec, below.run if below else None, say, tick)
    else:
        made, trials = _trained(project, prepared, base, plan, say, tick)
    opened = open_assistant(made, base.embedder)

    def measuring(done: float, text: str = "") -> None:
        tick(0.8 + 0.2 * done, text)

    validation = part(prepared, "validation")
    measured = measure(
        opened, validation, "validation", measuring, names=asked(project.scope), judges=judges_of(project)
    )
    spent = sum(float(one.results["seconds"]) for one in trials or [made]) + float(
        measured.run.record["seconds"] or 0.0
    )
    rung = Rung(plan, made, tuple(trials), measured, spent)
    if below is None:
        return rung
    ours, theirs = measured.report, below.measured.report
    won = wins(project, prepared, base.spec, validation, ours, theirs, say)
    return replace(rung, below=below.plan.rung, wins=won)


def _below(project: Project, done: Sequence[Rung]) -> Rung | None:
    """The best of the rungs that learnt from answers, by the first target; None where none did."""
    watch = watched(project)
    learnt = [one for one in done if one.plan.rung not in (*PROMPTED, RAG, *ALIGNED)]
    if not learnt:
        return None
    found = [one.measured.estimates[watch.metric].value * (1 if watch.higher else -1) for one in learnt]
    return learnt[found.index(max(found))]


def _trained(
    project: Project, prepared: Run, base: Candidate, plan: RungPlan, say: Say, tick: Tick
) -> tuple[Run, list[Run]]:
    """Train with each learning rate of the plan; the one that does best on validation is the rung."""
    watch = watched(project)
    objective, own = aimed_at(project, base.spec)
    plans = [
        Plan(base.spec, plan.rung, how_of(project, plan, rate), objective=objective, objective_settings=own)
        for rate in plan.rates
    ]
    trials: list[Run] = []
    for number, one in enumerate(plans):

        def trying(done: float, text: str = "", number: int = number) -> None:
            tick(0.8 * (number + done) / len(plans), f"rate {number + 1} of {len(plans)}: {text}")

        trials.append(train(project, prepared, one, say, trying, figures=True))
    # A model that writes is not asked for answers at every measurement: its loss on them chooses.
    name, higher = (watch.metric, watch.higher) if watch.metric in trials[0].results["best"] else ("loss", False)
    scores = [float(trial.results["best"][name]) for trial in trials]
    place = scores.index(max(scores) if higher else min(scores))
    best = train(project, prepared, plans[place], say, tick)
    for trial in trials:
        if trial.id != best.id:
            discard(trial)
    return best, trials if len(trials) > 1 else []


def _correct(project: Project, rungs: Sequence[Rung]) -> None:
    """Keep how far the predictions of time were off."""
    keep_correction(
        project, {rung.plan.rung: rung.seconds / rung.plan.seconds for rung in rungs if rung.plan.seconds > 0}
    )


def ladder_rows(climbed: Climbed, criteria: Sequence[Criterion]) -> list[dict[str, Any]]:
    """The ladder as the report and programs read it."""
    leading = criteria[0].metric
    compared = {challenger: (against, one) for against, challenger, one in climbed.choice.comparisons}
    rows = []
    for rung in climbed.rungs:
        name, found = rung.plan.rung, rung.measured.estimates
        outcomes = [judged.outcome for judged in standing(rung.result(), criteria)]
        row: dict[str, Any] = {
            "rung": name,
            "metric": leading,
            "estimate": asdict(found[leading]),
            "metrics": {key: asdict(value) for key, value in found.items()},
            "seconds": rung.seconds,
            "p50_ms": found["p50_ms"].value,
            "p95_ms": found["p95_ms"].value,
            "size_mb": found["size_mb"].value,
            "outcome": "met" if all(one == "met" for one in outcomes) else next(o for o in outcomes if o != "met"),
            "chosen": name == climbed.choice.rung,
            "predicted": {"memory_mb": rung.plan.memory / 1e6, "seconds": rung.plan.seconds},
            "measured": {
                "memory_mb": max(rung.run.results["memory"] / 1e6, found["memory_mb"].value),
                "seconds": rung.seconds,
            },
            "trials": [_trial(trial, leading) for trial in rung.trials],
            "settings": rung.run.settings.get("train", {}) | rung.run.settings.get("tuning", {}),
            "run": rung.run.id,
            "note": rung.plan.note,
        }
        if rung.below:
            row["wins"] = {"against": rung.below, "judges": {key: asdict(one) for key, one in rung.wins.items()}}
        if name in compared:
            against, one = compared[name]
            row["comparison"] = {
                "against": against,
                "difference": asdict(one.difference),
                "mcnemar_p": one.exact,
                "p": one.p,
                "minimum_detectable": one.detectable,
                "better": one.better == "b",
                "worse": one.better == "a",
            }
        rows.append(row)
    return rows


def _trial(trial: Run, leading: str) -> dict[str, Any]:
    how = trial.settings["train"]
    settings = {"rate": how["rate"], "epochs": how["epochs"]}
    return {"settings": settings, "score": trial.results["best"].get(leading), "seconds": trial.results["seconds"]}


def advice(project: Project, prepared: Run, base: Candidate, climbed: Climbed, say: Say, tick: Tick) -> dict[str, Any]:
    """What would help where none meets the target: a learning curve, disputed labels, mixed-up pairs."""
    best, target = climbed.chosen, watched(project)
    report = best.measured.report
    rows = len(part(prepared, "train"))
    points: list[tuple[int, Any]] = [(rows, best.measured.estimates[target.metric])]
    metrics: Mapping[str, Row] = report.measured
    if best.trials or best.plan.rates:
        for number, share in enumerate((0.25, 0.5)):
            count = int(rows * share)
            if count < 2:
                continue

            def drawing(done: float, text: str = "", number: int = number, count: int = count) -> None:
                tick((number + done) / 2, f"learning curve, {count:,} rows: {text}")

            how = how_of(project, best.plan, best.run.settings["train"]["rate"])
            objective, own = aimed_at(project, base.spec)
            plan = Plan(base.spec, best.plan.rung, how, objective=objective, objective_settings=own, rows=count)
            smaller = train(project, prepared, plan, say, drawing)
            opened, answered = open_assistant(smaller), part(prepared, "validation")
            names, judges = asked(project.scope), judges_of(project)
            measured = measure(opened, answered, "validation", requests=0, names=names, judges=judges)
            points.append((count, measured.estimates[target.metric]))
    curve = learning_curve(sorted(points), target.higher) if len(points) > 1 and target.metric in metrics else None
    labelled = report.task.kind == "classify"
    noise = (
        suspected_noise(report.predictions, report.task.labels) if labelled and not project.scope.multi_label else None
    )
    confused = report.confused if labelled else ()
    projected = [curve.at(rows * times) for times in (2, 4)] if curve else []
    return {
        "curve": [
            {"rows": count, "score": one.value, "low": one.low, "high": one.high} for count, one in sorted(points)
        ]
        if curve
        else [],
        "projected": [{"rows": one.n, "score": one.value, "low": one.low, "high": one.high} for one in projected],
        "noise": {"count": len(noise.doubts), "samples": [_doubt(one) for one in noise.doubts[:5]]} if noise else {},
        "confused": [
            {
                "expected": one.true,
                "answer": one.taken,
                "count": one.count,
                "sample": one.examples[0].text if one.examples else "",
            }
            for one in confused
        ],
        "advice": list(advise(target, curve, noise, confused)),
    }


def _doubt(one: Any) -> dict[str, Any]:
    facts: dict[str, Any] = dump(one)
    return {
        "text": facts["text"],
        "expected": facts["given"],
        "answer": facts["suggested"],
        "confidence": facts["confidence"],
    }
