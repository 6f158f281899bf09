"""The study of a sweep: which trial is next, what it was worth, and whose it is, kept in a storage of Optuna's.

Several processes, on one machine or many, may work on one study. What is suggested depends on the storage and the
number of the trial alone, so that a sweep of one process that was killed ends with the same trials as one that was not.
"""

import contextlib
import math
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from dragoman.core import durable
from dragoman.core.errors import Busy, UserError
from dragoman.stages.asha import goes_on, is_rung
from dragoman.stages.sweep_space import Dimension, Value, placed

if TYPE_CHECKING:
    import optuna

__all__ = ["FILE", "Asked", "Book", "Method", "Row", "Rules", "open_book"]

Method = Literal["asha", "tpe", "random", "grid"]
FILE = "study.db"
OWNER, FAILED, STEPS, SECONDS, CHOSEN = "owner", "failed", "steps", "seconds", "chosen"
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
    """A trial to do: its number and its settings."""

    number: int
    settings: dict[str, Value]
    trial: "optuna.trial.Trial"


@dataclass(frozen=True, slots=True)
class Row:
    """A trial as the record keeps it. `state` is complete, pruned, failed or running; `value` the last figure."""

    number: int
    state: str
    value: float | None
    settings: dict[str, Value]
    step: int = 0
    seconds: float = 0.0
    share: float = 0.0
    "of a whole training that it had"
    why: str = ""


@dataclass(frozen=True)
class Book:
    """An open study. `folder` holds the trials of this run on this machine."""

    study: "optuna.study.Study"
    space: tuple[Dimension, ...]
    rules: Rules
    folder: Path

    @property
    def wanted(self) -> int:
        """How many trials there are to be."""
        return len(placed(self.space, self.rules.points)) if self.rules.method == "grid" else self.rules.trials

    @contextlib.contextmanager
    def next(self) -> Iterator[Asked | None]:
        """A trial that is nobody else's while the block lasts: a killed one or a new one; None after the last."""
        with contextlib.ExitStack() as held:
            with _turn(self.folder):
                trial = self._left(held) or self._fresh(held)
            yield None if trial is None else Asked(trial.number, self._suggested(trial), trial)

    def _left(self, held: contextlib.ExitStack) -> "optuna.trial.Trial | None":
        """A running trial of this folder whose process is gone."""
        import optuna

        for one in self._running():
            if one.user_attrs.get(OWNER) == self._owner and self._held(one.number, held):
                return optuna.trial.Trial(self.study, one._trial_id)  # there is no other way back to a trial
        return None

    def _fresh(self, held: contextlib.ExitStack) -> "optuna.trial.Trial | None":
        import optuna

        if len(self.study.get_trials(deepcopy=False)) >= self.wanted:
            return None
        trial = self.study.ask()
        if trial.number >= self.wanted:  # another machine was quicker
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return None
        self._held(trial.number, held)
        trial.set_user_attr(OWNER, self._owner)
        return trial

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
                chosen = placed(self.space, self.rules.points)[trial.number]
            else:
                self.study.sampler = _sampler(self.rules, trial.number)
                chosen = {one.name: _drawn(trial, one) for one in self.space}
            trial.set_user_attr(CHOSEN, chosen)
        return dict(trial.user_attrs[CHOSEN])

    def goes_on(self, asked: Asked, unit: int, value: float) -> bool:
        """Take a figure in, and say whether the trial is to go on. Said twice of one unit, it says the same."""
        everyone = self.study.get_trials(deepcopy=False)
        if unit not in everyone[asked.number].intermediate_values:
            asked.trial.report(value, unit)
        if self.rules.method != "asha" or not is_rung(unit, self.rules.units, self.rules.eta):
            return True
        there = [one for one in everyone if one.number != asked.number and unit in one.intermediate_values]
        others = [one.intermediate_values[unit] for one in there]
        return goes_on(value, others, self.rules.eta, self.rules.higher)

    def end(self, asked: Asked, value: float | None, steps: int, seconds: float, why: str = "") -> None:
        """The end of a trial: complete with a value, stopped early without one, or failed where there is a `why`."""
        import optuna

        for name, told in ((STEPS, steps), (SECONDS, seconds), (FAILED, why)):
            asked.trial.set_user_attr(name, told)
        states = optuna.trial.TrialState
        # To the sampler one that failed is one stopped early, at once: it learns to keep away from there.
        self.study.tell(asked.trial, value, states.PRUNED if value is None else states.COMPLETE)

    def _running(self) -> "list[optuna.trial.FrozenTrial]":
        import optuna

        return self.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))

    @property
    def others(self) -> int:
        """How many trials other processes are at work on."""
        return sum(OWNER in one.user_attrs for one in self._running())

    def rows(self) -> list[Row]:
        """Every trial that has settings, by number."""
        found = []
        for one in self.study.get_trials(deepcopy=False):
            if CHOSEN in one.user_attrs:
                known = one.user_attrs
                unit = max(one.intermediate_values, default=0)
                why = known.get(FAILED, "")
                state = "failed" if why else one.state.name.lower()
                value = None if why else one.intermediate_values.get(unit)
                step, seconds = known.get(STEPS, 0), known.get(SECONDS, 0.0)
                share = unit / self.rules.units
                found.append(Row(one.number, state, value, known[CHOSEN], step, seconds, share, why))
        return found

    def best(self) -> Row:
        """The best of the trials that went to the end. Raises UserError where none did."""
        done = [one for one in self.rows() if one.state == "complete" and one.value is not None]
        if not done:
            why = next((one.why for one in self.rows() if one.why), "none came to its end")
            raise UserError(
                f"no trial was completed: {why}", "sweep over lower rates, or other settings: over.train.rate=…"
            )
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
    return Book(study, space, rules, folder)


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
