"""A sweep over adaptations of a project: what each trial learns from and is measured on, the test staying sealed."""

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dragoman.core.config import merge
from dragoman.core.errors import UserError
from dragoman.core.project import Project
from dragoman.core.runs import Run
from dragoman.core.show import many
from dragoman.stages.plugs import plug
from dragoman.stages.prepare import part
from dragoman.stages.sweep_space import Value, shown
from dragoman.stages.sweep_trials import Ready
from dragoman.stages.train import aimed_at, batched, planned, watched
from dragoman.stages.train_classifier import measure_of
from dragoman.train.doors import OBJECTIVES, TUNINGS, How, Tuning

__all__ = ["OnProject"]

SWEPT = ("train", "tuning", "objective", "model")


@dataclass(frozen=True)
class OnProject:
    """The project, its prepared parts, and what is the same in every trial: `table` holds tuning, objective, model.

    Without the parts (None) settings can be checked, and nothing can be trained.
    """

    project: Project
    table: Mapping[str, Any]
    words: tuple[str, ...] = ()
    prepared: Run | None = None

    @property
    def metric(self) -> str:
        """The first target of the project; of a model that writes its loss on the answers of validation."""
        return "loss" if self._writes else watched(self.project).metric

    @property
    def higher(self) -> bool:
        """Whether more of it is better."""
        return not self._writes and watched(self.project).higher

    @property
    def _writes(self) -> bool:
        return self.project.scope.task not in ("classify", "tag")

    def check(self, chosen: Mapping[str, Value], units: int) -> None:
        """Raise UserError where a trial could not have these settings."""
        for name in chosen:
            if name.split(".")[0] not in SWEPT or name == "train":
                known = "what an adaptation can be swept over: train.*, tuning.*, objective.*, model"
                raise UserError(f"over.{name} is no setting of a training", known)
        how = self._made(self._with(chosen))[2]
        if self.prepared is not None:
            self._steps(how, len(part(self.prepared, "train")), units)

    def ready(self, chosen: Mapping[str, Value], seed: int, units: int) -> Ready:
        """The training with these settings."""
        from dragoman.models.source import resolve
        from dragoman.nn.store import load_classifier
        from dragoman.nn.tokenizer import Tokenizer

        assert self.prepared is not None
        table = self._with(chosen)
        objective, tuning, how = self._made(table)
        if self._writes:
            return self._ready_to_write(table, objective, tuning, how, seed, units)
        labels, several = tuple(self.prepared.results["labels"]), self.project.scope.multi_label
        rows, validation = part(self.prepared, "train"), part(self.prepared, "validation")
        base = resolve(self.project.place(table["model"] or self.project.models.candidates[0]))
        tokenizer = Tokenizer(base)
        net = load_classifier(base, labels, several, seed=seed)
        tokenizer.fit(net.arch)
        tokenizer.max_length = how.max_length
        steps = self._steps(how, len(rows), units)
        epoch = math.ceil(len(rows) / how.batch)
        how = replace(how, steps=steps, every=steps / units / epoch, patience=0, seed=seed)
        measure = measure_of(validation, labels, several, watched(self.project), tokenizer)
        return Ready(
            net, tokenizer, objective, tuning, rows, how, measure, lambda net: float(measure(net)[self.metric])
        )

    def _ready_to_write(
        self, table: Mapping[str, Any], objective: Any, tuning: Tuning, how: How, seed: int, units: int
    ) -> Ready:
        """The same where answers are written: rows are packed, and a unit is a share of the steps they make."""
        from dragoman.models.source import resolve
        from dragoman.nn.store import load_lm
        from dragoman.stages.train_writer import lessons_of, loss_of
        from dragoman.stages.writing import open_tokenizer, taught, told_of
        from dragoman.train.doors import Kit
        from dragoman.train.fitting import Lesson

        assert self.prepared is not None
        rows, validation = part(self.prepared, "train"), part(self.prepared, "validation")
        base = resolve(self.project.place(table["model"] or self.project.models.candidates[0]))
        net = load_lm(base)
        first = taught(rows[:1], *told_of(self.project))
        tokenizer = open_tokenizer(base, net.arch, self.project, first, _unheard)
        how = batched(self.project, self.prepared, how)
        how = replace(how, max_length=min(how.max_length, net.arch.longest or how.max_length), seed=seed)
        lessons = lessons_of(self.project, rows, validation, tokenizer, net.arch.kind)
        lesson = Lesson(lessons.train, lessons.replayed if getattr(objective, "replay", 0.0) else None)
        epoch = objective.encode(net, lesson, Kit(how, tokenizer)).steps_an_epoch(how.batch)
        steps = max(units, how.steps or round((how.epochs or tuning.epochs) * epoch))
        how = replace(how, steps=steps, every=steps / units / epoch, patience=0)
        measure = loss_of(net, objective, lessons, tokenizer, how)
        return Ready(net, tokenizer, objective, tuning, lesson, how, measure, lambda now: float(measure(now)["loss"]))

    def command(self, chosen: Mapping[str, Value]) -> str:
        """The words that train with these settings."""
        table = self._with(chosen)
        words = list(self.words)
        for noun in ("tuning", "objective"):
            name, told = plug(table[noun], noun)
            words += [f"{noun}={name}", *(f"{noun}.{key}={shown(value)}" for key, value in told.items())]
        words += [f"model={table['model']}"] if table["model"] else []
        words += [f"train.{key}={shown(value)}" for key, value in table.get("train", {}).items()]
        return shlex.join(["dragoman", "train", *words, "train.patience=0"])

    def _with(self, chosen: Mapping[str, Value]) -> dict[str, Any]:
        table = dict(self.table)
        for name, value in chosen.items():
            table = merge(table, tuple(name.split(".")), value)
        return table

    def _made(self, table: Mapping[str, Any]) -> tuple[Any, Tuning, How]:
        objective, tuning = (plug(table[noun], noun) for noun in ("objective", "tuning"))
        if self._writes and objective[0] == "classify":
            aimed, own = aimed_at(self.project, table["model"] or self.project.models.candidates[0])
            objective = (aimed, {**own, **objective[1]})
        how = planned(self.project, table.get("train", {}))
        made = OBJECTIVES.make(*objective, "objective"), TUNINGS.make(*tuning, "tuning")
        return made[0], made[1], how

    def _steps(self, how: How, rows: int, units: int) -> int:
        """The budget is counted in examples: a larger batch has fewer steps of them."""
        _, tuning, base = self._made(self.table)
        if self._writes:
            return units  # the rows are not packed yet: `ready` counts them
        budget = base.steps * base.batch or (base.epochs or tuning.epochs) * rows
        steps = math.ceil(budget / how.batch - 1e-9)
        if steps < units:
            raise UserError(
                f"a trial has {many(steps, 'step')}, and is to be measured {units} times",
                "give it more: train.epochs=5, or measure less often: least=0.3",
            )
        return steps


def _unheard(text: str) -> None:
    """What every trial would say again."""
