"""One trial of a sweep: a training with the settings of the trial, measured at every unit, and paused at rungs."""

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dragoman.core import durable
from dragoman.core.errors import Busy, Stopped, UserError
from dragoman.core.show import Tick, silent
from dragoman.stages.sweep_space import Value
from dragoman.stages.sweep_study import Asked, Book
from dragoman.train.doors import How

if TYPE_CHECKING:
    from dragoman.train.range_test import Found
    from dragoman.train.session import Outcome

__all__ = ["Ground", "Ready", "again", "find_range", "try_one"]

Settings = Mapping[str, Value]


@dataclass(frozen=True)
class Ready:
    """Everything that one training needs, made anew for each: a net is never trained twice."""

    net: Any
    tokenizer: Any
    objective: Any
    tuning: Any
    data: Any
    how: How
    measure: Callable[[Any], Mapping[str, float]]
    "what validation shows while it learns"
    whole: Callable[[Any], float]
    "the metric on all of validation, of a net that is done"


class Ground(Protocol):
    """What all trials of a sweep have in common: the data, the model, and the settings that are not swept over."""

    @property
    def metric(self) -> str:
        """The figure of validation that trials are compared by."""
        ...

    @property
    def higher(self) -> bool:
        """Whether more of it is better."""
        ...

    def check(self, chosen: Settings, units: int) -> None:
        """Raise UserError where a trial could not have these settings; nothing is built or trained."""
        ...

    def ready(self, chosen: Settings, seed: int, units: int) -> Ready:
        """The training with these settings, measured `units` times. Whatever is chosen, it learns from as much."""
        ...

    def command(self, chosen: Settings) -> str:
        """The words that train with these settings."""
        ...


def try_one(ground: Ground, book: Book, asked: Asked, tick: Tick = silent) -> None:
    """Do a trial up to its next rung or to its end, from where it paused or was killed.

    What the trial itself does wrong, such as a loss that is not finite, is its result. Raises Stopped when asked to
    stop, and UserError where the disk refuses: the trial stays as it is, and the next process goes on with it.
    """
    folder, units = book.place(asked.number), book.rules.units
    begun, reached, paused = time.monotonic(), 0, False

    def heard(step: int, steps: int, value: float) -> None:
        nonlocal reached, paused
        reached = step
        paused = book.note(asked, max(1, round(step * units / steps)), value)
        if paused:  # as when a person stops it: everything is saved first
            raise Stopped(0, "paused at a rung")

    try:
        outcome = _learn(ground, asked.settings, book.rules.seed, units, folder, heard, _unheard, tick)[0]
        value = float(outcome.history[-1][ground.metric])
        why = "" if math.isfinite(value) else f"{ground.metric} is {value}"
        book.end(asked, None if why else value, outcome.steps, time.monotonic() - begun, why)
    except Stopped:
        if not paused:
            raise
        book.end(asked, None, reached, time.monotonic() - begun)
        return
    except Busy:
        raise
    except UserError as error:
        if isinstance(
            error.__cause__, OSError
        ):  # a full disk would fail all the others too, and be told as their fault
            raise
        book.end(asked, None, reached, time.monotonic() - begun, error.problem)
    shutil.rmtree(folder / "training", ignore_errors=True)


def _unheard(text: str) -> None:
    """That a trial goes on from where it paused is nothing to tell."""


def _learn(
    ground: Ground,
    chosen: Settings,
    seed: int,
    units: int,
    folder: Path,
    heard: Callable[[int, int, float], None],
    said: Callable[[str], None],
    tick: Tick,
) -> "tuple[Outcome, Ready]":
    """Train in a folder, telling of every measurement: at which step of how many, and the figure."""
    from dragoman.train.session import learn
    from dragoman.train.watch import Watch

    ready = ground.ready(chosen, seed, units)
    place, taken = folder / "training", 0

    def note(step: Any) -> None:
        nonlocal taken
        taken = step.number

    def measure(net: Any) -> Mapping[str, float]:
        figures = ready.measure(net)
        # Before the first step of this process the training stands where its newest checkpoint does.
        heard(taken or max((step for step, _ in durable.versions(place, "step")), default=0), ready.how.steps,
              float(figures[ground.metric]))  # fmt: skip
        return figures

    watch = Watch(ground.metric, ground.higher)
    outcome = learn(ready.net, ready.tokenizer, ready.objective, ready.tuning, ready.data, ready.how, place, measure,
                    watch, said, tick, log=note)  # fmt: skip
    return outcome, ready


def again(ground: Ground, chosen: Settings, seed: int, folder: Path, said: Callable[[str], None], tick: Tick) -> float:
    """The metric on all of validation after a whole training with another seed; found again where it was done."""
    file = folder / f"seed-{seed}.json"
    if not file.exists():
        place = folder / f"seed-{seed}"
        outcome, ready = _learn(ground, chosen, seed, 1, place, lambda step, steps, value: None, said, tick)
        durable.write_json(file, {"value": ready.whole(ready.tuning.merge(outcome.net).eval())})
        shutil.rmtree(place, ignore_errors=True)
    return float(json.loads(file.read_text(encoding="utf-8"))["value"])


def find_range(ground: Ground, seed: int, low: float, high: float, steps: int, file: Path, tick: Tick) -> "Found":
    """The learning-rate range test with the settings that are not swept over; found again where it was done."""
    from dragoman.train.loop import begin
    from dragoman.train.range_test import Found, range_how, range_test

    if not file.exists():
        one = ground.ready({}, seed, 1)
        how = range_how(one.how, steps)
        found = range_test(begin(one.net, one.tokenizer, one.objective, one.tuning, one.data, how), low, high, tick)
        durable.write_json(file, {"points": found.points, "chosen": found.chosen})
    table = json.loads(file.read_text(encoding="utf-8"))
    return Found(tuple((rate, loss) for rate, loss in table["points"]), table["chosen"])
