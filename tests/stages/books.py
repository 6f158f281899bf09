"""A study in memory and a made-up figure, so that whole sweeps take a fraction of a second."""

import math
from pathlib import Path

import optuna

from dragoman.stages.asha import units_of
from dragoman.stages.sweep_space import read_space
from dragoman.stages.sweep_study import Asked, Book, Method, Rules

__all__ = ["book", "finish", "swept", "validation"]

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
