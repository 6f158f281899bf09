"""What a training will take before it is begun: memory part by part, floating-point operations, time, energy, price."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from dragoman.nn.activations import Pass
from dragoman.nn.arch import Arch
from dragoman.nn.footprint import (
    Counts,
    Learning,
    Memory,
    count,
    evaluation_memory,
    lora_parameters,
    training_memory,
)
from dragoman.nn.operations import Flops, flops

if TYPE_CHECKING:
    from dragoman.train.machine import Machine

__all__ = ["Prediction", "Prices", "Speed", "chunked", "predict", "speed_of"]

_ADAMW = 28  # bytes moved for each weight: weight, gradient and both moments read, all but the gradient written
_COPY = 6  # and to round a float32 weight into its bf16 copy


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a training will run. Tokens a second that were measured win over what follows from FLOP/s."""

    flops: float = 0.0
    "floating-point operations a second that learning reaches; 0 is not known"
    bandwidth: float = 0.0
    "bytes of memory a second; 0 leaves the optimizer's time out"
    tokens: float = 0.0
    "tokens a second, measured"


@dataclass(frozen=True, slots=True)
class Prices:
    """What an hour costs. Zero is not known, and then not told."""

    watts: float = 0.0
    kwh: float = 0.0
    "price of a kilowatt-hour"
    hour: float = 0.0
    "price of an hour of the machine"

    def energy(self, seconds: float) -> float:
        """Kilowatt-hours."""
        return self.watts * seconds / 3.6e6

    def price(self, seconds: float) -> float:
        """In the currency the prices are in."""
        return self.energy(seconds) * self.kwh + seconds / 3600 * self.hour


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is expected of a training."""

    parameters: Counts
    learnt: int
    "numbers that learn"
    memory: Memory
    "at the peak of a step"
    evaluation: Memory
    "while a held-out text is measured"
    flops: Flops
    "of the whole training"
    tokens: int
    "of the whole training"
    seconds: float
    "of the whole training, evaluations left out; 0 where no speed is known"

    @property
    def flops_per_token(self) -> float:
        """Operations that learning from one token takes."""
        return self.flops.total / max(self.tokens, 1)

    @property
    def facts(self) -> Mapping[str, Any]:
        """All of it as plain values, for a record that is compared with what was measured."""
        return {
            "parameters": self.parameters.total,
            "learnt": self.learnt,
            "memory": {**self.memory.parts, "total": self.memory.total},
            "evaluation": {**self.evaluation.parts, "total": self.evaluation.total},
            "flops": {**asdict(self.flops), "total": self.flops.total},
            "flops_per_token": self.flops_per_token,
            "tokens": self.tokens,
            "seconds": self.seconds,
        }


def speed_of(machine: "Machine", precision: str, utilisation: float = 0.0) -> Speed:
    """What a measured machine reaches: its own block's rate, or `utilisation` as a share of its matrices' peak."""
    reached = utilisation * machine.peak(precision) if utilisation else machine.learning(precision)
    return Speed(reached, machine.bandwidth)


def chunked(arch: Arch, step: Pass, learning: Learning) -> Learning:
    """The same with the number of tokens whose logits the loss holds at once (`train.cross_entropy`); 0 is all."""
    from dragoman.train.cross_entropy import PLAIN, chunk_size

    tokens = int(step.batch * step.length * step.predicted)
    plain = tokens * arch.vocabulary <= PLAIN
    return replace(learning, chunk=0 if plain else chunk_size(tokens, arch.vocabulary))


def predict(
    arch: Arch, step: Pass, learning: Learning, steps: int, accumulation: int = 1, speed: Speed | None = None
) -> Prediction:
    """What `steps` steps of `accumulation` passes each will take.

    Memory is that of one pass; the optimizer moves once a step. Raises UserError where `learning` names no matrix.
    """
    speed = speed or Speed()
    whole = count(arch)
    thin = 0 if learning.tuning == "full" else lora_parameters(arch, learning.rank, learning.where)
    once = flops(*(arch, step.batch, step.length, step.source, True, step.recompute, thin, step.predicted))
    work = once.times(steps * accumulation)
    tokens = step.batch * step.length * steps * accumulation
    learnt = thin or whole.total
    moved = learnt * (_ADAMW + (_COPY if step.size < 4 else 0))
    seconds = 0.0
    if speed.tokens:
        seconds = tokens / speed.tokens
    elif speed.flops:
        seconds = work.total / speed.flops + (steps * moved / speed.bandwidth if speed.bandwidth else 0.0)
    return Prediction(
        parameters=whole,
        learnt=learnt,
        memory=training_memory(arch, step, learning),
        evaluation=evaluation_memory(arch, step, learning),
        flops=work,
        tokens=tokens,
        seconds=seconds,
    )
