"""A sweep over trainings of a language model on one corpus: what each trial reads, and what it is measured on."""

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dragoman.core.config import build, merge
from dragoman.core.errors import UserError
from dragoman.core.shards import Corpus
from dragoman.core.show import many
from dragoman.stages.language import Task, first_of, kind_of, measured, net_of, texts_of
from dragoman.stages.plan_model import Setup, arch_of
from dragoman.stages.plugs import plug
from dragoman.stages.pretrain_plan import FAMILIES, USUAL, table_rows, usual_rate
from dragoman.stages.sweep_space import Value, shown
from dragoman.stages.sweep_trials import Ready
from dragoman.train.doors import OBJECTIVES, TUNINGS, How, Kit

if TYPE_CHECKING:
    from dragoman.nn.arch import Arch

__all__ = ["OnTexts"]

SWEPT = ("train", "objective", "size", "family")
LENGTH, TOKENS = 256, 4096  # of a row, and of a step, where nothing is said
MEASURED = 20_000  # held-out tokens that are read at a measurement; the winner is measured on all


@dataclass(frozen=True)
class OnTexts:
    """The corpus and what is the same in every trial: `table` holds train, objective, size, family and model."""

    corpus: Corpus
    table: Mapping[str, Any]

    metric = "validation"
    higher = False

    def check(self, chosen: Mapping[str, Value], units: int) -> None:
        """Raise UserError where a trial could not have these settings."""
        for name in chosen:
            if name.split(".")[0] not in SWEPT or name in SWEPT[:1]:
                known = "what a language model can be swept over: train.*, objective.*, size, family"
                raise UserError(f"over.{name} is no setting of such a training", known)
        table = self._with(chosen)
        name, aimed = plug(table["objective"], "objective")
        kind = kind_of(name)
        OBJECTIVES.make(name, aimed, "objective")
        if not (table["model"] or table["size"]):
            raise UserError("no size is named for the model", "say size=1M, or model=FOLDER to go on with one")
        arch = self._arch(table, name, self._plain(table["train"]))
        if arch.kind != kind:
            article = "an" if kind[0] == "e" else "a"
            fits = "go on with another model: model=FOLDER" if table["model"] else f"take family={FAMILIES[name]}"
            raise UserError(f"{name} needs {article} {kind}, and {arch.family} is none", fits)
        self._how(table, units)

    def ready(self, chosen: Mapping[str, Value], seed: int, units: int) -> Ready:
        """The training with these settings."""
        from dragoman.nn.tokenizer import Tokenizer

        table = self._with(chosen)
        name, aimed = plug(table["objective"], "objective")
        how = replace(self._how(table, units), seed=seed)
        arch = self._arch(table, name, how)
        how = replace(how, rate=how.rate or usual_rate(how, arch))
        task = Task(name, how, arch, table["model"], aimed)
        tokenizer = Tokenizer(self.corpus.tokenizer)
        tokenizer.max_length = how.max_length
        net = net_of(task, tokenizer)
        objective = OBJECTIVES.make(name, aimed, "objective")
        texts, unseen = texts_of(self.corpus)
        epoch = objective.encode(net, texts, Kit(how, tokenizer)).steps_an_epoch(how.batch)
        share = MEASURED // len(unseen.sources)
        some = replace(unseen, sources=tuple(first_of(part, share, tokenizer) for part in unseen.sources))
        return Ready(
            net,
            tokenizer,
            objective,
            TUNINGS.make("scratch", {}),
            texts,
            replace(how, every=how.steps / units / epoch),
            lambda net: {"validation": measured(net, objective, some, tokenizer, how).loss},
            lambda net: measured(net, objective, unseen, tokenizer, how).loss,
        )

    def command(self, chosen: Mapping[str, Value]) -> str:
        """The words that train with these settings."""

        table = self._with(chosen)
        name, aimed = plug(table["objective"], "objective")
        how = self._how(table, 1)
        how = replace(how, rate=how.rate or usual_rate(how, self._arch(table, name, how)))
        told = {f"objective.{key}": value for key, value in aimed.items()}
        told |= {key: table[key] for key in ("size", "family", "model") if table[key]}
        told |= {f"train.{key}": value for key, value in table["train"].items() if key not in ("epochs", "steps")}
        told |= {f"train.{key}": getattr(how, key) for key in ("steps", "batch", "max_length", "rate")}
        words = [f"objective={name}", f"corpus={self.corpus.folder}"]
        words += [f"{key}={shown(value)}" for key, value in told.items()]
        return shlex.join(["dragoman", "train", *words])

    def _with(self, chosen: Mapping[str, Value]) -> dict[str, Any]:
        table = dict(self.table)
        for name, value in chosen.items():
            table = merge(table, tuple(name.split(".")), value)
        return table

    def _how(self, table: Mapping[str, Any], units: int) -> How:
        """The settings of the loop. The budget is counted in tokens: a larger batch has fewer steps of them."""
        base, how = self._plain(self.table["train"]), self._plain(table["train"])
        tokens = sum(part.tokens for part in self.corpus.part("train"))
        budget = base.steps * base.batch * base.max_length or (base.epochs or 1.0) * tokens
        steps = math.ceil(budget / (how.batch * how.max_length) - 1e-9)
        if steps < units:
            raise UserError(
                f"a trial has {many(steps, 'step')}, and is to be measured {units} times",
                "give it more: train.steps=500, or measure less often: least=0.3",
            )
        return replace(how, steps=steps, epochs=0.0, patience=0)

    def _plain(self, train: Mapping[str, Any]) -> How:
        """As they are given, with what pretraining does otherwise."""
        length = int(train.get("max_length", LENGTH))
        how: How = build(How, {"max_length": length, "batch": max(1, TOKENS // length), **USUAL, **train}, "train")
        return how

    def _arch(self, table: Mapping[str, Any], objective: str, how: How) -> "Arch":
        """The shape that is asked for, with the words of the corpus."""
        from dragoman.nn.tokenizer import Tokenizer

        if table["model"]:
            return arch_of(table["model"], Setup())
        tokenizer: Tokenizer = Tokenizer(self.corpus.tokenizer)
        words = table_rows(tokenizer)
        setup = Setup(family=table["family"] or FAMILIES[objective], vocabulary=words, length=how.max_length)
        return replace(arch_of(table["size"], setup), vocabulary=words, pad_id=tokenizer.pad_id)
