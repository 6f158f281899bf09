"""Predict memory and time of a project's rungs, of one model, or of a training that fits into a time.

Of a project every rung is planned: a few real steps are timed, and what does not fit the budget is cut in this order:
trials, epochs, the rung. The report shows predicted against measured, and the ratio of the two corrects the next plan.
Of one model (model=llama/3.1-8b, model=15M, model=FOLDER) each part of the memory is told; time="4 h" asks how large a
model can be trained here in that time; fit=RUNS.csv fits a scaling law to runs of your own.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.core.project import Project
from dragoman.core.runs import Run
from dragoman.core.show import Show, Tick, silent
from dragoman.core.sizing import Memory, Shape, peak_memory, reset_peak_memory, show_bytes, show_seconds
from dragoman.core.types import Example
from dragoman.evals.latency import REQUESTS, WARM_UP
from dragoman.stages.plan_model import Setup, plan_model, show_formats
from dragoman.stages.plan_rungs import GRID, RungPlan, plan_rungs
from dragoman.stages.plan_time import plan_time, show_fit
from dragoman.stages.prepare import gather, part, prepare
from dragoman.stages.settled import command, settled
from dragoman.stages.train import planned
from dragoman.train.doors import OBJECTIVES, TUNINGS, Encoded, How, settle

__all__ = [
    "PLACES",
    "SECTIONS",
    "Pace",
    "RungPlan",
    "Settings",
    "allot",
    "how_of",
    "keep_correction",
    "plan",
    "plans_of",
    "run",
]

PLACES = ("project",)
SECTIONS = True
UNTRAINED = ("zero_shot", "few_shot")
PROBED = 300 * 2  # texts embedded for the forgetting card


@dataclass(frozen=True)
class Settings:
    """The words of `dragoman plan`."""

    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    model: str = ""
    "A model to plan instead of a project: a size such as 15M, family/size, a folder, or hf:owner/name."
    time: str = ""
    'The time to train in, such as "4 h": how large a model is worth it, on how many tokens?'
    fit: str = ""
    "A CSV file of runs (columns parameters, loss, and tokens or flops) to fit a scaling law to."
    formats: bool = False
    "Whether to show the number formats with their bits."
    setup: Setup = field(default_factory=Setup)
    "How a model is trained."


@dataclass(frozen=True)
class Pace:
    """What was measured on this machine, in seconds: one step, and one text in each kind of pass."""

    step: float
    embed: float
    classify: float
    single: float
    memory: int


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Plan a project and show the table; or a model, or a time."""
    if settings.model or settings.time or settings.fit or settings.formats:
        return _without_project(settings, words, show)
    project = settled(settings.project, words)
    with show.board(project.scope.name) as board:
        with board.step("prepare") as tick:
            prepared = prepare(project, gather(project, tick), tick)
        with board.step("plan") as tick:
            done = plan(project, prepared, tick)
    rungs = plans_of(done)
    rows = [
        (one.rung, show_seconds(one.seconds), show_bytes(one.memory), f"{one.epochs:g}", str(one.trials), one.note)
        for one in rungs
    ]
    show.table("plan", ("rung", "time", "memory", "epochs", "trials", "note"), rows)
    total = sum(one.seconds for one in rungs if one.fits)
    budget = f"{show_seconds(total)} of {project.scope.budget.time} if every rung is climbed"
    then = command("run", settings.project)
    show.card("budget", [("time", budget), ("memory", project.scope.budget.memory), ("then", then)])
    show.result({"run": done.id, "rungs": [asdict(one) for one in rungs], "seconds": total})
    return 0


def _without_project(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """What can be asked where there is no project."""
    if words:
        raise UserError(f"'{words[0]}' is a setting of a project", "leave it out, or leave out model, time and fit")
    if settings.formats:
        return show_formats(show)
    if settings.model:
        return plan_model(settings.model, settings.setup, show)
    if settings.time:
        return plan_time(settings.time, settings.fit, settings.setup, show)
    return show_fit(settings.fit, show)


def plans_of(done: Run) -> list[RungPlan]:
    """The rungs of a finished plan."""
    return [RungPlan(**{**one, "rates": tuple(one["rates"])}) for one in done.results["rungs"]]


def plan(project: Project, prepared: Run, tick: Tick = silent) -> Run:
    """The run that holds the plan; once made it is kept, so that a run that is gone on with makes the same choices.

    Raises UserError when the budget is too small for any rung.
    """
    budget, ladder = project.scope.budget, project.ladder
    settings: dict[str, Any] = {
        "budget": asdict(budget),
        "ladder": {**asdict(ladder), "all": False},
        "train": dict(project.train),
    }
    settings |= {"models": list(project.models.candidates), "max_length": project.models.max_length}
    done = Run.begin(project.runs_folder, "plan", settings, {"parts": prepared})
    if done.finished:
        tick(1.0, "found again")
        return done
    correction, paces = _correction(project), dict[str, Pace]()
    if project.scope.task == "classify":
        paces, memory = _measure(project, prepared, tick)
        parts = prepared.results["card"]["parts"]
        shown = project.ladder.shots * len(prepared.results["labels"]) or parts["train"]
        sizes = (parts["train"], parts["validation"], min(shown, parts["train"]))
        rungs = allot(project, sizes, paces, memory, correction)
    else:
        from dragoman.models.source import resolve

        folder = resolve(project.place(project.models.candidates[0]))
        rungs = plan_rungs(project, prepared, folder, correction, tick)
    if not any(one.fits for one in rungs):
        cheapest = min(rungs, key=lambda one: one.seconds)
        raise UserError(
            f"the budget of {budget.time} and {budget.memory} is too small for any rung: "
            f"{cheapest.rung} needs about {show_seconds(cheapest.seconds)} and {show_bytes(cheapest.memory)}",
            f'give more: scope.budget.time="{math.ceil(cheapest.seconds / 60) + 1} min" scope.budget.memory="4 GiB"',
        )
    tick(1.0, f"{sum(one.fits for one in rungs)} of {len(rungs)} rungs fit into {budget.time}")
    facts = {"rungs": [asdict(one) for one in rungs], "correction": correction}
    return done.finish({**facts, "paces": {name: asdict(pace) for name, pace in paces.items()}})


def allot(
    project: Project,
    sizes: tuple[int, int, int],
    paces: Mapping[str, Pace],
    memory: Mapping[str, tuple[int, int]],
    correction: Mapping[str, float],
) -> list[RungPlan]:
    """Share the budget among the rungs by what each costs, cutting trials, then epochs, then the rung itself.

    `sizes` are the rows of train, of validation, and those the few-shot rung looks at.
    """
    rungs = list(project.ladder.rungs)
    whole = {rung: _options(rung, project, sizes, paces[rung], correction) for rung in rungs}
    wanted = {
        rung: options[-1].seconds if len(options) == 1 else _plain(options).seconds for rung, options in whole.items()
    }
    left, found = project.scope.budget.seconds(), []
    for number, rung in enumerate(rungs):
        share = left * wanted[rung] / max(sum(wanted[later] for later in rungs[number:]), 1e-9)
        options = whole[rung]
        one = next((option for option in options if option.seconds <= share), None)
        one = one or next((option for option in options[-1:] if option.seconds <= left), None)
        held, parts = memory[rung]
        if one is None:
            note = f"needs about {show_seconds(options[-1].seconds)}, {show_seconds(max(left, 0))} of the budget left"
            one = replace(options[-1], fits=False, note=note)
        one = replace(one, memory=held, accumulation=parts)
        if held > project.scope.budget.bytes():
            note = f"needs {show_bytes(held)}; the nearest that fits is a smaller model or models.max_length"
            one = replace(one, fits=False, note=note)
        left -= one.seconds if one.fits else 0.0
        found.append(one)
    return found


def _plain(options: Sequence[RungPlan]) -> RungPlan:
    """The option with one trial at full length: what a rung costs by itself."""
    return next((one for one in options if one.trials == 1), options[-1])


def _options(
    rung: str, project: Project, sizes: tuple[int, int, int], pace: Pace, correction: Mapping[str, float]
) -> list[RungPlan]:
    """Every way to climb a rung, dearest first."""
    rows, held, shown = sizes
    requests = (REQUESTS + WARM_UP) * pace.single
    if rung in UNTRAINED:
        embedded = held + (shown if rung == "few_shot" else 0)
        return [RungPlan(rung, (embedded * pace.embed + requests) * correction.get(rung, 1.0))]
    kind = TUNINGS.kind(rung)
    how = planned(project, {"epochs": project.ladder.epochs} if project.ladder.epochs else {})
    epochs = how.epochs or kind.epochs
    rate = how.rate or kind.rate
    steps = math.ceil(rows / how.batch)

    def cost(length: float) -> float:
        measured = (min(length, 5.0) + 0.5) * held * pace.classify
        states = rows * pace.embed if rung == "head" else 0.0
        return length * steps * pace.step + measured + states

    after = held * pace.classify + requests + PROBED * pace.embed
    found = []
    for trials in range(max(project.ladder.trials, 1), 0, -1):
        seconds = (trials * (cost(epochs) + PROBED * pace.embed) + after) * correction.get(rung, 1.0)
        rates = tuple(rate * factor for factor in GRID[:trials])
        found.append(RungPlan(rung, seconds, 0, epochs, trials, rates))
    for fewer in (round(epochs * 0.75), round(epochs * 0.5), 2, 1):
        if 1 <= fewer < epochs:
            note = f"{fewer} of {epochs:g} epochs, to fit the time"
            seconds = (cost(fewer) + after) * correction.get(rung, 1.0)
            found.append(RungPlan(rung, seconds, 0, fewer, 1, (rate,), note=note))
    return sorted(found, key=lambda one: (-one.trials, -one.epochs))


def _measure(project: Project, prepared: Run, tick: Tick) -> tuple[dict[str, Pace], dict[str, tuple[int, int]]]:
    """Seconds and bytes of each rung: a few real steps with the real rows, on the first candidate."""
    from dragoman.app.assistant import Assistant
    from dragoman.app.steps.classify import Classify
    from dragoman.models.classifier import LocalClassifier
    from dragoman.models.open import open_embedder
    from dragoman.models.source import resolve
    from dragoman.nn.store import load_classifier
    from dragoman.nn.tokenizer import Tokenizer

    rows = part(prepared, "train")
    some = rows[:: max(1, len(rows) // 96)][:96]
    labels, several = tuple(prepared.results["labels"]), project.scope.multi_label
    folder = resolve(project.place(project.models.candidates[0]))
    tokenizer = Tokenizer(folder)
    tokenizer.max_length = project.models.max_length
    texts = [example.text for example in some]
    reset_peak_memory()
    embedder = open_embedder(folder, max_length=project.models.max_length)
    embed = _timed(lambda: embedder.embed(texts)) / len(texts)
    net = load_classifier(folder, labels, several)
    assistant = Assistant(LocalClassifier(net, tokenizer), (Classify(labels, several),))
    classify = _timed(lambda: assistant.answer(texts)) / len(texts)
    single = _timed(lambda: [assistant.answer([text]) for text in texts[:10]]) / 10
    idle = peak_memory()
    paces: dict[str, Pace] = {}
    memory: dict[str, tuple[int, int]] = {}
    for number, rung in enumerate(project.ladder.rungs):
        tick(0.3 + 0.6 * number / len(project.ladder.rungs), f"timing {rung}")
        step, held, parts = (
            (0.0, idle, 1) if rung in UNTRAINED else _step(project, folder, labels, several, rung, some, idle)
        )
        paces[rung] = Pace(step, embed, classify, single, held)
        memory[rung] = (held, parts)
    return paces, memory


def _timed(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the quickest of a few calls after one to warm up: what other programs take is not the work's."""
    work()
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return min(spent)


def _step(
    project: Project, folder: Path, labels: tuple[str, ...], several: bool, rung: str, rows: list[Example], idle: int
) -> tuple[float, int, int]:
    """Seconds of one step, bytes at the peak, and into how many parts a step is cut to stay in the memory."""
    from dragoman.nn.store import load_classifier
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.loop import begin, fit

    tuning, objective = TUNINGS.make(rung, {}), OBJECTIVES.make("classify", {})
    how = settle(planned(project, {}), tuning)
    net, tokenizer = load_classifier(folder, labels, several), Tokenizer(folder)
    shape = _shape(net)
    training = begin(net, tokenizer, objective, tuning, rows, replace(how, epochs=50.0))
    assert isinstance(training.encoded, Encoded)
    lengths = sorted(len(ids) for ids in training.encoded.ids)
    layers = {"head": 0, "layers": min(getattr(tuning, "top", 2), shape.layers)}.get(rung, shape.layers)
    learnt = sum(weight.numel() for weight in training.net.parameters() if weight.requires_grad)
    budget, parts = project.scope.budget.bytes(), 1
    half = training.kit.precision == "bf16"
    while True:
        held = (
            idle + Memory.of_training(shape, learnt, -(-how.batch // parts), lengths[-1], layers, half).beside_weights
        )
        if held <= budget or parts >= how.batch:
            break
        parts *= 2
    steps = fit(training)
    # The quicker half of some steps: their texts differ in length, and other programs may take the machine meanwhile.
    spent = sorted(_timed(lambda: next(steps), 1) for _ in range(4))
    return sum(spent[:2]) / 2, held, parts


def _shape(net: Any) -> Shape:
    arch = net.arch
    embeddings = sum(weight.numel() for weight in net.encoder.embeddings.parameters())
    body = sum(weight.numel() for weight in net.parameters()) - embeddings
    return Shape(body, embeddings, arch.width, arch.feed_forward, arch.heads, arch.layers)


def _corrections(project: Project) -> Path:
    return project.runs_folder / "corrections.json"


def _correction(project: Project) -> dict[str, float]:
    """Measured over predicted time of each rung, from the runs before; 1 where there was none."""
    try:
        stored = json.loads(_corrections(project).read_bytes())
        return {str(rung): min(max(float(ratio), 0.2), 5.0) for rung, ratio in stored.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def keep_correction(project: Project, ratios: Mapping[str, float]) -> None:
    """Remember how far each prediction was off, half of it the newest run's."""
    old = _correction(project)
    mixed = {**old, **{rung: old.get(rung, 1.0) * (0.5 + 0.5 * ratio) for rung, ratio in ratios.items()}}
    durable.write_json(_corrections(project), mixed)


def how_of(project: Project, one: RungPlan, rate: float) -> How:
    """The settings of the loop for one training of a rung; validation is measured about five times."""
    every = max(1.0, one.epochs / 5)
    return planned(project, {"rate": rate, "epochs": one.epochs, "every": every, "accumulation": one.accumulation})
