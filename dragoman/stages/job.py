"""One training as a stage does it, whatever is learnt: what goes in, the loop, what is recorded, the adapter beside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dragoman.app.assistant import Assistant
from dragoman.core import durable
from dragoman.core.config import dump
from dragoman.core.doors import Metric, Prompt
from dragoman.core.project import Project
from dragoman.core.runs import Run
from dragoman.core.show import Tick
from dragoman.core.sizing import reset_peak_memory
from dragoman.core.types import Example
from dragoman.train.doors import How

if TYPE_CHECKING:
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.session import Outcome
    from dragoman.train.watch import Alarm

__all__ = ["ADAPTER", "Job", "figures_of"]

ADAPTER = "adapter"
TOLD = (
    "best_step",
    "steps",
    "planned",
    "stretch",
    "seconds",
    "tokens",
    "memory",
    "learnt",
    "cut",
    "dropped",
    "skipped",
)


@dataclass(frozen=True)
class Job:
    """Everything that one training needs, each choice made."""

    project: Project
    labels: tuple[str, ...]
    train: Sequence[Example]
    validation: Sequence[Example]
    run: Run
    "where it takes place"
    model: str
    "the model as it was named"
    base: Path
    "its folder"
    objective: Any
    tuning: Any
    tuning_name: str
    how: How
    said: Callable[[str], None]
    tick: Tick

    @property
    def beside(self) -> bool:
        """Whether what is learnt is kept in PEFT's form too, over the model as it was published."""
        kept = hasattr(self.tuning, "to_peft") and getattr(self.tuning, "merges", True)
        return kept and not getattr(self.tuning, "rounds", False)

    def learn(
        self,
        net: Any,
        tokenizer: "Tokenizer",
        data: Any,
        measure: Any,
        metric: str,
        higher: bool,
        limits: Mapping[str, float] | None = None,
        alarm: "Alarm | None" = None,
        enough: float | None = None,
        opening: bool = False,
    ) -> "Outcome":
        """The loop in the run's folder; the weights that were best on validation come out (see train.watch)."""
        from dragoman.train.session import learn
        from dragoman.train.watch import Watch

        reset_peak_memory()
        place, watch = self.run.folder / "training", Watch(metric, higher, limits or {}, alarm, enough, opening)
        given = (self.objective, self.tuning, data, self.how, place, measure, watch)
        outcome = learn(net, tokenizer, *given, self.said, self.tick)
        self.tick(1.0, "saving and holding the forms against each other")
        return outcome

    def record(self, outcome: "Outcome") -> dict[str, Any]:
        """What is kept of a training besides its model."""
        from dragoman.train.anatomy import fold_learning

        return {
            **{name: getattr(outcome, name) for name in TOLD},
            "best": dict(outcome.best),
            "history": [dict(point) for point in outcome.history],
            "losses": list(outcome.losses),
            "figures": {name: list(values) for name, values in outcome.figures.items()},
            "order": outcome.chain,
            "weights": sum(weight.numel() for weight in outcome.net.parameters()),
            "learning": fold_learning(outcome.net),
            "tuning": {"name": self.tuning_name, **dump(self.tuning)},
        }

    def keep_adapter(self, net: Any, tokenizer: "Tokenizer") -> Path:
        """Publish what was learnt by itself, before it is merged; its folder."""
        from dragoman.train.adapter import write_adapter

        def fill(stage: Path) -> None:
            write_adapter(net, self.tuning, stage, self.model)
            tokenizer.save(stage)

        durable.publish(self.run.folder / ADAPTER, fill)
        return self.run.folder / ADAPTER


def figures_of(
    assistant: Assistant, asked: Sequence[str | Prompt], examples: Sequence[Example], metrics: Mapping[str, Metric]
) -> dict[str, float]:
    """Each metric of an assistant's answers, without intervals: what validation shows while it learns."""
    turns = assistant.answer(asked)
    pairs = list(zip(turns, examples, strict=True))
    return {
        name: metric.combine(np.stack([metric.measure(turn.answer, one.answers) for turn, one in pairs]))
        for name, metric in metrics.items()
    }
