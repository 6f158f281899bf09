"""A green run is a finite run: a number that is not finite stops the training at its step, and is never published."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.core.show import Tick
from dragoman.stages.proofs.proof import Case, Proof, differing

if TYPE_CHECKING:
    from torch import Tensor

    from dragoman.train.doors import Step
    from dragoman.train.trial import Trial

__all__ = ["Plant", "prove"]

NAMES = ("classify, full, bf16", "clm, adamw, fp32", "clm, muon, bf16", "mlm, adamw, fp32")
WHERE = ("loss", "gradient", "weight")
BAD = {"NaN": float("nan"), "infinity": float("inf")}
STEP = 7
"in which it is planted: after the state of step 4 was saved, and in the middle of nothing"
SHORT = {"epochs": 1.5}


@dataclass
class Plant:
    """A bad number that appears in one step of a training: in a state of the net, in its gradient, or in a weight."""

    net: Any
    where: str
    bad: float
    step: int = STEP
    due: bool = False
    order: dict[int, tuple[str, ...]] = field(default_factory=dict)
    "the examples of each step that was taken"
    skipped: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        blocks = [module for name, module in self.net.named_modules() if name.endswith("blocks.0")]
        # A function of no object: the copy that computes in bf16 copies a method together with its object.
        blocks[-1].register_forward_hook(lambda module, given, states: self._pass(module, states))
        self.due = self.step == 1 and self.where != "weight"

    def log(self, step: "Step") -> None:
        """Take a step in; the next one is the bad one where that is its number."""
        self.order[step.number] = step.examples
        self.skipped += [step.number] if step.skipped else []
        self.due = step.number == self.step - 1
        if self.due and self.where == "weight":
            learning = [weight for weight in self.net.parameters() if weight.requires_grad and weight.ndim == 2]
            learning[-1].data[-1, -1] = self.bad

    def _pass(self, module: Any, states: "Tensor") -> "Tensor":
        """What leaves the first block: bad where it is to be, as is the gradient that comes back to it."""
        if not self.due or not module.training or self.where == "weight":
            return states
        self.due = False
        if self.where == "loss":
            return states * self.bad
        states.register_hook(lambda slope: slope * self.bad)  # type: ignore[no-untyped-call]
        return states


def prove(seed: int, folder: Path, tick: Tick, names: tuple[str, ...] = NAMES) -> Proof:
    """Plant each bad number in each place: it must stop, or be left out and counted where that is asked for."""
    from dragoman.train.trial import bits, one_thread, train, trial

    tried = [(where, bad, False) for where in WHERE for bad in BAD]
    tried += [(where, bad, True) for where in ("loss", "gradient") for bad in BAD]
    cases: list[Case] = []
    for place, name in enumerate(names):
        one, base, order = trial(name), folder / name.replace(", ", "-"), dict[int, tuple[str, ...]]()
        with one_thread():
            log = lambda step, order=order: order.__setitem__(step.number, step.examples)  # noqa: E731
            whole = bits(train(one, base / "whole", seed, SHORT, log=log), base / "whole")
            for number, (where, bad, skip) in enumerate(tried):
                tick((place + number / len(tried)) / len(names), f"{name}, {bad} in the {where}")
                inside = base / f"{where}-{bad}-{skip}"
                if skip:
                    wrong = _left_out(one, inside, seed, where, BAD[bad])
                else:
                    wrong = _stopped(one, inside, seed, where, BAD[bad], order)
                    wrong = wrong or differing(whole, bits(train(one, inside, seed, SHORT), inside))
                said = "left out with train.on_nan=skip" if skip else "stops"
                cases.append(Case(f"{name}: {bad} in the {where}, {said}", not wrong, 1, wrong))
    tick(1.0, f"{len(cases)} bad numbers")
    return Proof(
        "nan",
        f"{' and '.join(BAD)} were planted in the {', the '.join(WHERE[:-1])} and the {WHERE[-1]} at step {STEP}.",
        f"{len(cases)} trainings of {len(names)} kinds",
        "the step and the examples in the message, every number in what is published, the end after the cause is gone",
        tuple(cases),
    )


def _stopped(
    one: "Trial", folder: Path, seed: int, where: str, bad: float, order: Mapping[int, tuple[str, ...]]
) -> str:
    """What was wrong with how a training was stopped by a bad number; empty where nothing was."""
    from dragoman.train.trial import fresh, train

    plant = Plant(fresh(one, seed), where, bad)
    try:
        train(one, folder, seed, SHORT, log=plant.log, net=plant.net)
    except UserError as error:
        told = error.problem
    else:
        return "it was not noticed"
    if max(plant.order) != STEP - 1 or f"at step {STEP}:" not in told:
        return f"it was noticed after step {max(plant.order)}: {told}"
    if ", ".join(order[STEP][:8]) not in told:
        return f"the batch is not named: {told}"
    return _published(folder)


def _left_out(one: "Trial", folder: Path, seed: int, where: str, bad: float) -> str:
    """What was wrong with how a bad step was left out; empty where nothing was."""
    from dragoman.train.trial import fresh, train

    plant = Plant(fresh(one, seed), where, bad)
    outcome = train(one, folder, seed, {**SHORT, "on_nan": "skip"}, log=plant.log, net=plant.net)
    if plant.skipped != [STEP] or outcome.skipped != 1:
        return f"steps {plant.skipped} were left out and {outcome.skipped} counted"
    if outcome.steps != outcome.planned:
        return f"it ended after step {outcome.steps} of {outcome.planned}"
    return _published(folder)


def _published(folder: Path) -> str:
    """The first thing in what was published that is damaged or not finite; empty where there is none."""
    from safetensors.torch import load_file

    kept = [path for prefix in ("step", "best") for _, path in durable.versions(folder, prefix)]
    if not kept:
        return "nothing is kept"
    for path in kept:
        if wrong := durable.problems(path):
            return wrong[0]
        for file in sorted(path.glob("*.safetensors")):
            for name, tensor in load_file(file).items():
                if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                    return f"{name} in {path.name}/{file.name} is not finite"
    return ""
