"""Plans the rungs of a task that is not classification: what each takes, from the shape of the model and this machine.

Nothing is trained to find out: operations are counted, the machine is measured for two seconds, and one answer is
written to see how long answers take. Measured against predicted corrects the next plan.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dragoman.core.errors import UserError
from dragoman.core.project import Project
from dragoman.core.runs import Run
from dragoman.core.show import Tick
from dragoman.core.sizing import parse_bytes, show_bytes, show_seconds
from dragoman.stages.alignment import on_its_rungs, policy_of, preference_of, told_apart
from dragoman.stages.assistants import ALIGNED, PROMPTED, RAG
from dragoman.stages.plugs import plug
from dragoman.stages.prepare import part
from dragoman.stages.train import batched, planned, usual_rate
from dragoman.stages.tune_plan import METHODS, Method, methods_of
from dragoman.stages.writing import tokens_an_example
from dragoman.train.doors import TUNINGS

__all__ = ["GRID", "RungPlan", "plan_rungs"]

GRID = (1.0, 2.0, 0.5, 4.0, 0.25)
ASKED = 3  # prompts that are answered to see how long that takes
TIMED = 40  # single answers that an evaluation times
PAIRED = 2.0  # answers of a row that is a pair


@dataclass(frozen=True)
class RungPlan:
    """One rung as it is to be climbed, with what it is expected to take."""

    rung: str
    seconds: float = 0.0
    memory: int = 0
    epochs: float = 0.0
    trials: int = 1
    rates: tuple[float, ...] = ()
    accumulation: int = 1
    fits: bool = True
    note: str = ""


def plan_rungs(
    project: Project, prepared: Run, folder: Path, correction: Mapping[str, float], tick: Tick
) -> list[RungPlan]:
    """Every rung with its time and memory, trials cut first, then epochs, then the rung, to fit the budget."""
    from dragoman.nn.store import read_arch

    if set(project.ladder.rungs) == {RAG}:
        return [RungPlan(RAG)]
    arch, card = read_arch(folder), prepared.results["card"]
    if arch.kind == "encoder" and set(project.ladder.rungs) <= set(PROMPTED):
        said = "an encoder has no way to answer before it has learnt, and no rung lets it learn"
        raise UserError(said, 'add some that do: ladder.rungs=["lora", "full"]')
    rows, held = card["parts"]["train"], card["parts"]["validation"]
    tokens = int(rows * tokens_an_example(card))
    memory = parse_bytes(project.scope.budget.memory, "scope.budget.memory")
    tick(0.3, "measuring this machine")
    how = batched(
        project, prepared, planned(project, {"epochs": project.ladder.epochs} if project.ladder.epochs else {})
    )
    methods = {one.name: one for one in methods_of(arch, how, tokens, memory)}
    tick(0.6, "timing an answer")
    answering = (held + TIMED) * _seconds_an_answer(project, prepared, folder, arch.kind)
    left, found = project.scope.budget.seconds(), []
    for number, rung in enumerate(project.ladder.rungs):
        share = left / (len(project.ladder.rungs) - number)
        if rung in PROMPTED and arch.kind == "encoder":
            one = RungPlan(rung, 0.0, fits=False, note="an encoder has no way to answer before it has learnt")
        elif rung in PROMPTED:
            times = 2.0 if rung == "chain_of_thought" else 1.0
            one = RungPlan(rung, times * answering * correction.get(rung, 1.0))
        elif rung == RAG:
            one = RungPlan(rung)
        elif rung in ALIGNED:
            one = _aligned(project, prepared, rung, methods, answering, correction.get(rung, 1.0))
        else:
            method = _method(rung, methods)
            rate = usual_rate(rung, folder)
            one = _trained(project, rung, rate, method, answering, correction.get(rung, 1.0), max(share, left / 2))
        if one.seconds > left and one.fits:
            rest = show_seconds(max(left, 0))
            one = replace(one, fits=False, note=f"needs about {show_seconds(one.seconds)}, {rest} of the budget left")
        left -= one.seconds if one.fits else 0.0
        found.append(one)
    return found


def _aligned(
    project: Project, prepared: Run, rung: str, methods: Mapping[str, Method], answering: float, correction: float
) -> RungPlan:
    """What a rung takes that goes on from another: two answers a row and a reference, or answers drawn and learnt.

    Where no reward is named, the model that learns it comes on top.
    """
    from dragoman.stages.train_policy import paced

    rows, held = part(prepared, "train"), part(prepared, "validation")
    said, wanted = policy_of(project), preference_of(project)
    thumbs = rung == "preference" and bool(getattr(wanted, "thumbs", False))
    if (rung == "preference" or not said.reward) and not told_apart(rows, held, thumbs=thumbs):
        hint = "" if rung == "preference" else ", and alignment.reward names nothing that scores"
        return RungPlan(rung, fits=False, note=f"no row has a second answer to prefer one to{hint}")
    method, whole = _method(plug(project.alignment.tuning, "tuning")[0], methods), methods["full"]
    epoch = _epoch(project, method)
    judge = 0.0 if said.reward else PAIRED * _epoch(project, whole)
    own = on_its_rungs(project)
    how = planned(own, {})
    if rung == "preference":
        length = how.steps * how.batch / max(1, len(rows)) or how.epochs or float(wanted.epochs)
        learning = epoch * (PAIRED * length + 1)
    else:
        how, length = paced(said, how, own.train, len(rows)), how.epochs or float(said.epochs)
        drawn = how.steps * how.batch / said.passes or length * len(rows) * said.samples
        each = answering / max(1, prepared.results["card"]["parts"]["validation"] + TIMED)
        learning = drawn * (each + epoch / max(1, len(rows)) * (said.passes + 1))
    memory = max(method.memory, 0 if said.reward else whole.memory)
    seconds = (learning + judge + answering) * correction
    limit = parse_bytes(project.scope.budget.memory, "scope.budget.memory")
    note = f"needs {show_bytes(memory)}; the nearest that fits is a smaller model or batch" if memory > limit else ""
    return RungPlan(rung, seconds, memory, length, fits=memory <= limit, note=note)


def _epoch(project: Project, method: Method) -> float:
    """The seconds in which a method learns every answer once."""
    how = planned(project, {"epochs": project.ladder.epochs} if project.ladder.epochs else {})
    return float(method.seconds / (how.epochs or TUNINGS.kind(method.name).epochs))


def _method(rung: str, methods: Mapping[str, Method]) -> Method:
    """What a rung takes: its own figures, or those of the method it is nearest to."""
    if rung in METHODS:
        return methods[rung]
    return methods["full" if rung == "layers" else "lora"]


def _trained(
    project: Project, rung: str, rate: float, method: Method, answering: float, correction: float, share: float
) -> RungPlan:
    """The dearest way to climb a trained rung that its share of the time pays for."""
    kind = TUNINGS.kind(rung)
    how = planned(project, {"epochs": project.ladder.epochs} if project.ladder.epochs else {})
    epochs, rate = how.epochs or kind.epochs, how.rate or rate
    found: RungPlan | None = None
    for trials, length in [(count, epochs) for count in range(max(1, project.ladder.trials), 0, -1)] + [
        (1, fewer) for fewer in (round(epochs * 0.75), round(epochs * 0.5), 2, 1) if 1 <= fewer < epochs
    ]:
        seconds = (trials * method.seconds * length / epochs + answering) * correction
        note = "" if length == epochs else f"{length} of {epochs:g} epochs, to fit the time"
        rates = tuple(rate * factor for factor in GRID[:trials])
        found = RungPlan(rung, seconds, method.memory, length, len(rates), rates, note=note)
        if seconds <= share:
            break
    assert found is not None
    limit = parse_bytes(project.scope.budget.memory, "scope.budget.memory")
    if method.memory > limit:
        note = f"needs {show_bytes(method.memory)}; the nearest that fits is a smaller model or batch"
        return replace(found, fits=False, note=note)
    return found


def _seconds_an_answer(project: Project, prepared: Run, folder: Path, kind: str) -> float:
    """How long the untouched model takes for an answer of the usual length; an encoder reads and writes nothing."""
    if kind == "encoder":
        return 0.01
    from dragoman.core.sampling import Sampling
    from dragoman.models.open import open_lm

    lm: Any = open_lm(folder, raw=True)
    able = [one for one in part(prepared, "validation")[:100] if one.prompt and one.answers]
    rows = [one for one in able if not lm.longest or len(lm.ids(one.prompt)) < lm.longest // 2][:ASKED]
    if not rows:
        return 0.1
    size = max(8, min(project.models.max_tokens, sum(len(one.answers[0]) for one in rows) // (3 * len(rows))))
    begun = time.perf_counter()
    lm.generate([one.prompt for one in rows], Sampling(max_tokens=size, min_tokens=size))
    return (time.perf_counter() - begun) / len(rows)
