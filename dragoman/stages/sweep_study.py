"""The study of a sweep: which trial is next, what it was worth, and whose it is, kept in a storage of Optuna's.

Several processes, on one machine or many, may work on one study. What is suggested depends on the storage and the
number of the trial alone, so that a sweep of one process that was killed ends with the same trials as one that was not.
"""

import contextlib
import math
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from dragoman.core import durable
from dragoman.core.errors import Busy, UserError
from dragoman.stages.asha import promoted, rungs_of
from dragoman.stages.sweep_space import Dimension, Value, placed

if TYPE_CHECKING:
    import optuna

__all__ = ["FILE", "Asked", "Book", "Method", "Row", "Rules", "open_book"]

Method = Literal["asha", "tpe", "random", "grid"]
FILE = "study.db"
# What is noted of each trial of Optuna's. One of ours is one of theirs for each rung that it climbs.
FIRST, CHOSEN, OWNER, RUNG = "first", "chosen", "owner", "rung"
STEP, SECONDS, FAILED = "step", "seconds", "failed"
_PATIENCE = 60.0  # seconds that a database may be held by others


@dataclass(frozen=True, slots=True)
class Rules:
    """How the study chooses and stops. `units` is into how many measurements a trial is cut."""

    method: Method
    trials: int
    seed: int
    eta: int
    units: int
    higher: bool
    points: int
    "how many values a grid takes of a range"


@dataclass(frozen=True, slots=True)
class Asked:
    """A piece of work: a trial, its settings, and after how many units it pauses or ends."""

    number: int
    settings: dict[str, Value]
    until: int
    trial: "optuna.trial.Trial"


@dataclass(frozen=True, slots=True)
class Row:
    """A trial as the record keeps it. `state` is complete, pruned, failed or running; `value` the last figure."""

    number: int
    state: str
    value: float | None
    settings: dict[str, Value]
    step: int
    "steps that it trained"
    seconds: float
    share: float
    "of a whole training that it had"
    why: str
    values: dict[int, float]
    "the figure after each unit"


@dataclass(frozen=True)
class Book:
    """An open study. `folder` holds the trials of this run on this machine; the lock of each tells who is at work."""

    study: "optuna.study.Study"
    space: tuple[Dimension, ...]
    rules: Rules
    folder: Path
    inside: bool = False
    "whether the study itself lies in `folder`: then all its trials do, whatever this machine was called before"

    @property
    def wanted(self) -> int:
        """How many trials there are to be."""
        return len(placed(self.space, self.rules.points)) if self.rules.method == "grid" else self.rules.trials

    @property
    def rungs(self) -> tuple[int, ...]:
        """After how many units trials are compared."""
        return rungs_of(self.rules.units, self.rules.eta) if self.rules.method == "asha" else (self.rules.units,)

    @contextlib.contextmanager
    def next(self) -> Iterator[Asked | None]:
        """Work that is nobody else's while the block lasts; None where there is none left to give out.

        What a kill left comes first, then a trial of this machine that may go on, a new one, and one of another machine
        that may go on, which is begun again here.
        """
        with contextlib.ExitStack() as held:
            with _turn(self.folder):
                asked = self._left(held) or self._climbing(held, True) or self._fresh(held)
                asked = asked or self._climbing(held, False)
            yield asked

    def _left(self, held: contextlib.ExitStack) -> Asked | None:
        """Running work of this folder whose process is gone."""
        import optuna

        for one in self._running():
            number = one.user_attrs.get(FIRST, one.number)
            if not (self.inside or one.user_attrs.get(OWNER, self._owner) == self._owner):
                continue
            if CHOSEN not in one.user_attrs and self._begun().index(number) >= self.wanted:  # others were quicker
                self.study.tell(one.number, state=optuna.trial.TrialState.FAIL)
            elif self._held(number, held):
                trial = optuna.trial.Trial(self.study, one._trial_id)  # there is no other way back to a trial
                return Asked(number, self._suggested(trial), one.user_attrs.get(RUNG, self.rungs[0]), trial)
        return None

    def _climbing(self, held: contextlib.ExitStack, own: bool) -> Asked | None:
        """A trial that goes on beyond a rung, the highest rung first: one that is kept here, or any."""
        rows = self.rows()
        for rung, until in reversed(list(pairwise(self.rungs))):
            gone = {one.number for one in rows if one.state == "running" or max(one.values, default=0) > rung}
            there = {one.number: one.values.get(rung, math.inf) for one in rows if rung in one.values or one.why}
            number = promoted(there, gone, self.rules.eta, self.rules.higher, self._least(rows, rung))
            if number is None or (own and not (self.place(number) / "training").exists()):
                continue
            chosen = next(one.settings for one in rows if one.number == number)
            self._add({FIRST: number, CHOSEN: chosen, RUNG: until}, number)
            return self._left(held)
        return None

    def _least(self, rows: Sequence[Row], rung: int) -> int:
        """How many go on at the least: one at the highest rung that was reached, where else none came to its end."""
        if len(rows) < self.wanted or any(one.state in ("running", "complete") for one in rows):
            return 0
        return int(rung == max((max(one.values, default=0) for one in rows), default=0))

    def _fresh(self, held: contextlib.ExitStack) -> Asked | None:
        if len(self._begun()) >= self.wanted:
            return None
        self._add({RUNG: self.rungs[0]})
        return self._left(held)

    def _add(self, told: dict[str, object], base: int | None = None) -> None:
        """Running work of this folder, in one step, so that no kill leaves a number that is nobody's."""
        import optuna

        known = next((one for one in self.study.get_trials(deepcopy=False) if one.number == base), None)
        self.study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.RUNNING,
                params=known.params if known else None,
                distributions=known.distributions if known else None,
                user_attrs={**told, OWNER: self._owner},
            )
        )

    def _begun(self) -> list[int]:
        """The numbers of all trials, those whose settings are still to be drawn included, without what was too many."""
        import optuna

        return [
            one.number
            for one in self.study.get_trials(deepcopy=False)
            if FIRST not in one.user_attrs and (CHOSEN in one.user_attrs or one.state != optuna.trial.TrialState.FAIL)
        ]

    @property
    def _owner(self) -> str:
        return f"{socket.gethostname()}:{self.folder.resolve()}"

    def _held(self, number: int, held: contextlib.ExitStack) -> bool:
        """Take the lock of a trial, which goes with its process."""
        try:
            held.enter_context(durable.lock(self.place(number)))
        except Busy:
            return False
        return True

    def place(self, number: int) -> Path:
        """The folder of a trial."""
        return self.folder / "trials" / f"{number:04d}"

    def _suggested(self, trial: "optuna.trial.Trial") -> dict[str, Value]:
        """The settings of a trial: drawn by its own number, or those it had before a kill."""
        if CHOSEN not in trial.user_attrs:
            if self.rules.method == "grid":
                # by place: Optuna's numbers have holes where a trial was too many
                chosen = placed(self.space, self.rules.points)[self._begun().index(trial.number)]
            else:
                self.study.sampler = _sampler(self.rules, trial.number)
                chosen = {one.name: _drawn(trial, one) for one in self.space}
            trial.set_user_attr(CHOSEN, chosen)
        return dict(trial.user_attrs[CHOSEN])

    def note(self, asked: Asked, unit: int, value: float) -> bool:
        """Take a figure in, and say whether the trial is to pause here."""
        known = next(one for one in self.study.get_trials(deepcopy=False) if one.number == asked.trial.number)
        if unit not in known.intermediate_values:  # a kill may come between this and what is saved of the training
            asked.trial.report(value, unit)
        return asked.until <= unit < self.rules.units

    def end(self, asked: Asked, value: float | None, step: int, seconds: float, why: str = "") -> None:
        """The end of this work: complete with a value, paused without one, or failed where there is a `why`."""
        import optuna

        for name, told in ((STEP, step), (SECONDS, seconds), (FAILED, why)):
            asked.trial.set_user_attr(name, told)
        states = optuna.trial.TrialState
        # To the sampler a trial that failed is one that was stopped at once: it learns to keep away from there.
        self.study.tell(asked.trial, value, states.PRUNED if value is None else states.COMPLETE)

    def _running(self) -> "list[optuna.trial.FrozenTrial]":
        import optuna

        return self.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))

    @property
    def others(self) -> int:
        """How many trials other processes are at work on."""
        return len(self._running())

    def rows(self) -> list[Row]:
        """Every trial that was begun, by number."""
        found: dict[int, list[optuna.trial.FrozenTrial]] = {}
        for one in self.study.get_trials(deepcopy=False):
            if CHOSEN in one.user_attrs:
                found.setdefault(one.user_attrs.get(FIRST, one.number), []).append(one)
        return [self._row(number, works) for number, works in found.items()]

    def _row(self, number: int, works: "list[optuna.trial.FrozenTrial]") -> Row:
        values = {unit: value for one in works for unit, value in one.intermediate_values.items()}
        why = next((str(one.user_attrs[FAILED]) for one in works if one.user_attrs.get(FAILED)), "")
        unit = max(values, default=0)
        return Row(
            number=number,
            state="failed" if why else works[-1].state.name.lower(),
            value=None if why else values.get(unit),
            settings=works[0].user_attrs[CHOSEN],
            step=max(one.user_attrs.get(STEP, 0) for one in works),
            seconds=math.fsum(one.user_attrs.get(SECONDS, 0.0) for one in works),
            share=unit / self.rules.units,
            why=why,
            values=values,
        )

    def best(self) -> Row:
        """The best of the trials that went to the end. Raises UserError where none did."""
        rows = self.rows()
        done = [one for one in rows if one.state == "complete" and one.value is not None]
        if not done:
            why = next((one.why for one in rows if one.why), "none came to its end")
            raise UserError(f"no trial was completed: {why}", "try lower rates or other settings: over.train.rate=…")
        return (max if self.rules.higher else min)(done, key=lambda one: one.value or 0.0)


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Hold the study of this machine for the moment in which a trial is given out."""
    while True:
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(durable.lock(folder / "trials"))
            except Busy:
                time.sleep(0.05)
                continue
            yield
            return


def open_book(name: str, storage: str, space: tuple[Dimension, ...], rules: Rules, folder: Path) -> Book:
    """The study of that name in a storage (an address as Optuna takes it; empty is a file in `folder`), new or known.

    Raises UserError where Optuna is not installed or the storage cannot be reached.
    """
    try:
        import optuna
        from sqlalchemy.exc import ArgumentError, SQLAlchemyError
    except ImportError:
        raise UserError("optuna is not installed, which sweeps need", 'pip install "dragoman[train]"') from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    address = storage or f"sqlite:///{folder / FILE}"
    patience = {"connect_args": {"timeout": _PATIENCE}} if address.startswith("sqlite:") else {}
    direction: Literal["maximize", "minimize"] = "maximize" if rules.higher else "minimize"
    hint = "storage=sqlite:///sweep.db is a file, storage=postgresql://host/name a server; empty keeps it in the run"
    try:
        with _turn(folder):
            kept = optuna.storages.RDBStorage(address, engine_kwargs=patience)
            study = optuna.create_study(storage=kept, study_name=name, direction=direction, load_if_exists=True)
    except ArgumentError:
        raise UserError("storage is no address of a database", hint) from None
    except (ImportError, SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        said = str(error).splitlines()[0]
        raise UserError(f"the storage of the sweep cannot be opened: {said}", hint) from None
    return Book(study, space, rules, folder, inside=not storage)


def _sampler(rules: Rules, number: int) -> "optuna.samplers.BaseSampler":
    """What draws the settings of that trial: its dice are its own, so that a kill changes nothing."""
    import optuna

    seed = (rules.seed * 1_000_003 + number) % 2**32
    if rules.method == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    first = min(10, max(4, math.ceil(rules.trials / 3)))  # drawn at random before anything is known
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=first)


def _drawn(trial: "optuna.trial.Trial", one: Dimension) -> Value:
    """A value of one dimension, drawn by the study's sampler."""
    if one.choices:
        return cast(Value, trial.suggest_categorical(one.name, one.choices))
    if one.whole:
        return trial.suggest_int(one.name, int(one.low), int(one.high), log=one.log)
    return one.exact(trial.suggest_float(one.name, one.low, one.high, log=one.log))
