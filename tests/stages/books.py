"""A study in memory, a made-up figure and a tiny language model, so that whole sweeps take seconds at the most."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna

from dragoman.core.errors import UserError
from dragoman.stages.asha import units_of
from dragoman.stages.sweep_space import Value, read_space
from dragoman.stages.sweep_study import Asked, Book, Method, Rules
from dragoman.stages.sweep_trials import Ready
from dragoman.train.doors import Kit
from dragoman.train.held_out import hold_out
from dragoman.train.trial import HOW, Numbers, corpus, fresh, trial

__all__ = ["World", "book", "finish", "swept", "validation"]

RANGE = "1e-4..1e-1 log"


def validation(rate: float, share: float) -> float:
    """A loss after a share of a training: best at 5e-3, as a small language model's; low rates begin slowly."""
    away = math.log10(rate / 5e-3)
    return 2.43 + 0.35 * away**2 + (1.0 - 0.25 * away) * math.exp(-4 * share)


def book(folder: Path, method: Method = "asha", trials: int = 16, seed: int = 0, study: object = None) -> Book:
    """A study of the rate, with eta 3 and 9 units."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    units = 1 if method == "grid" else units_of(3, 0.1)
    rules = Rules(method, trials, seed, 3, units, False, trials)
    kept = study if isinstance(study, optuna.study.Study) else optuna.create_study()
    return Book(kept, read_space({"train": {"rate": RANGE}}), rules, folder)


def finish(one: Book, asked: Asked) -> None:
    """Do a piece of work as a training would: note every unit, pause or end."""
    place = one.place(asked.number) / "training"
    place.mkdir(exist_ok=True)
    for unit in range(1, one.rules.units + 1):
        value = validation(float(asked.settings["train.rate"]), unit / one.rules.units)
        if one.note(asked, unit, value):
            return one.end(asked, None, unit, 1.0)
    return one.end(asked, value, unit, 1.0)


def swept(one: Book, works: int = 10**6) -> list[int]:
    """Do all that is to be done, or so many pieces of it; the number of the trial of each."""
    done: list[int] = []
    while len(done) < works:
        with one.next() as asked:
            if asked is None:
                break
            finish(one, asked)
            done.append(asked.number)
    return done


@dataclass(frozen=True)
class World:
    """A ground for trials of a tiny language model: `steps` steps of numbers, measured in nats."""

    steps: int = 18
    metric: str = "nats"
    higher: bool = False

    def check(self, chosen: Mapping[str, Value], units: int) -> None:
        """Anything goes."""

    def ready(self, chosen: Mapping[str, Value], seed: int, units: int) -> Ready:
        """The training with that rate; one above 1 ends in a loss that is not finite."""
        one = trial("clm, adamw, fp32")
        rate = float(chosen.get("train.rate", 1e-3))
        how = replace(HOW, steps=self.steps, rate=rate, seed=seed, average=0.0)
        epoch = one.objective.encode(fresh(one), corpus(), Kit(how, Numbers())).steps_an_epoch(how.batch)
        how = replace(how, every=self.steps / units / epoch)
        unseen = corpus(1, documents=5)

        def nats(net: Any) -> float:
            if rate > 1:
                raise UserError("the loss is nan", "train.rate=1e-3 is lower")
            return hold_out(net, one.objective, unseen, Kit(how, Numbers())).loss

        return Ready(
            fresh(one, seed),
            Numbers(),
            one.objective,
            one.tuning,
            corpus(),
            how,
            lambda net: {"nats": nats(net)},
            nats,
        )

    def command(self, chosen: Mapping[str, Value]) -> str:
        """Nobody says it."""
        return "dragoman train"
