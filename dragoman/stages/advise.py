"""How large a model to train here in the time there is, on how many tokens, and what loss to expect."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from dragoman.core.chinchilla import (
    BESIROGLU,
    Law,
    Optimum,
    effective_tokens,
    interval,
    limited,
    resampled,
    warnings_of,
)
from dragoman.core.errors import UserError
from dragoman.core.show import many
from dragoman.core.sizing import show_bytes
from dragoman.nn.activations import Pass
from dragoman.nn.arch import Arch
from dragoman.nn.footprint import Learning, Memory, count, training_memory
from dragoman.nn.operations import flops
from dragoman.stages.predict import chunked

__all__ = ["Advice", "Wish", "advise", "budget_of"]

SMALLEST, LARGEST = 100_000, 40_000_000_000
STEP = 1.25  # between neighbouring sizes: a fifth off the optimum costs less than 0.1 % of the loss
BATCHES = (32, 16, 8, 4, 2, 1)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be trained."""

    vocabulary: int
    length: int = 512
    family: str = "llama"
    precision: Literal["fp32", "bf16"] = "bf16"
    optimizer: Literal["adamw", "muon"] = "adamw"
    batch: int = 0
    "texts in one pass; 0 takes the most that fit, 32 at most"
    device: Literal["cpu", "cuda"] = "cpu"
    predicted: float = 1.0
    "the share of tokens whose word is predicted"


@dataclass(frozen=True, slots=True)
class Advice:
    """A model and the tokens to train it on."""

    arch: Arch
    parameters: int
    tokens: int
    "to be read in all"
    epochs: float
    "how often each token that is at hand is read; 1 where there are enough of them, or nobody said"
    loss: float
    "nats a token by the law; of another text and tokenizer than its own, only differences tell"
    low: float
    high: float
    "the 95 % interval of the loss"
    best: Optimum
    "where the law sees the optimum of the same budget, whatever fits"
    sizes: tuple[float, float]
    "the 95 % interval of that optimum's parameters"
    shares: tuple[float, float]
    "the 95 % interval of its tokens a parameter"
    budget: float
    "FLOPs"
    memory: Memory
    batch: int
    recompute: bool
    notes: tuple[str, ...]
    "what a person should know"


def budget_of(seconds: float, flops_per_second: float) -> float:
    """FLOPs that can be spent. Raises UserError where that is nothing."""
    if seconds * flops_per_second <= 0:
        raise UserError("no time or no speed: nothing can be trained", 'give a time: dragoman plan time="4 h"')
    return seconds * flops_per_second


def advise(
    seconds: float,
    flops_per_second: float,
    memory: int,
    wish: Wish,
    tokens_available: int = 0,
    law: Law = BESIROGLU,
    laws: Sequence[Law] = (),
    shape: Callable[[int], Arch] | None = None,
) -> Advice:
    """The size whose loss is lowest after `seconds` at `flops_per_second`, among those that fit into `memory` bytes.

    Tokens are what the time allows at the real cost of a shape's tokens, attention and prediction included. Where only
    `tokens_available` differ, repeated ones count less. `laws` are resampled fits, for the intervals; () takes those of
    the corrected fit. `shape` makes the Arch of a number of parameters; None takes `nn.sizes.fresh_arch`.
    Raises UserError where not even the smallest fits.
    """
    budget = budget_of(seconds, flops_per_second)
    make = shape or _fresh(wish)
    others = laws or resampled()
    free = limited(law, budget, tokens_available) if tokens_available else law.best(budget)
    ranked = sorted(_tried(make, wish, budget, tokens_available, law), key=lambda one: one[0])
    chosen, held = _first_that_fits(ranked, wish, memory)
    _, arch, tokens = chosen
    step, taken = held
    if step.recompute:
        tokens = _tokens(arch, wish, budget, True)
    parameters = count(arch).total
    epochs = max(1.0, tokens / tokens_available) if tokens_available else 1.0
    worth = effective_tokens(tokens_available, tokens) if tokens_available else tokens
    low, high = interval(one.loss(parameters, worth) for one in others)
    notes = [*warnings_of(parameters, tokens)]
    if ranked[0][1] != arch:
        wanted = count(ranked[0][1]).total
        notes.append(f"{wanted:,} parameters would be best, but need more than {show_bytes(memory)} of memory")
    if law.loss(parameters, worth) > math.log(wish.vocabulary):
        notes.append("the law gives more than guessing would: at this size it ranks models, and foretells no loss")
    if epochs > 4:
        notes.append(f"each token is read {epochs:.0f} times; beyond four, more text would teach more")
    optima = [one.best(budget) for one in others]
    return Advice(
        arch=arch,
        parameters=parameters,
        tokens=int(tokens),
        epochs=epochs,
        loss=law.loss(parameters, worth),
        low=low,
        high=high,
        best=free,
        sizes=interval(one.parameters for one in optima),
        shares=interval(one.tokens_a_parameter for one in optima),
        budget=budget,
        memory=taken,
        batch=step.batch,
        recompute=step.recompute,
        notes=tuple(notes),
    )


def _fresh(wish: Wish) -> Callable[[int], Arch]:
    from dragoman.nn.sizes import fresh_arch

    return lambda parameters: fresh_arch(wish.family, wish.vocabulary, wish.length, parameters=parameters)


def _tried(
    make: Callable[[int], Arch], wish: Wish, budget: float, distinct: int, law: Law
) -> list[tuple[float, Arch, float]]:
    """Loss, shape and tokens of every size that the budget could train on a token a parameter at the least."""
    found: dict[int, tuple[float, Arch, float]] = {}
    asked = float(SMALLEST)
    while asked <= LARGEST:
        try:
            arch = make(round(asked))
        except UserError:  # the table of words alone is larger than this
            asked *= STEP
            continue
        asked *= STEP
        parameters = count(arch).total
        tokens = _tokens(arch, wish, budget, False)
        if parameters in found:
            continue
        if tokens < parameters and found:
            break
        worth = effective_tokens(distinct, tokens) if distinct else tokens
        found[parameters] = (law.loss(parameters, worth), arch, tokens)
    if not found:
        raise UserError(
            f"no {wish.family} of {many(wish.vocabulary, 'word')} is small enough to be planned",
            "give a smaller vocabulary: dragoman plan vocabulary=8192",
        )
    return list(found.values())


def _tokens(arch: Arch, wish: Wish, budget: float, recompute: bool) -> float:
    """How many tokens a budget pays for."""
    return budget * wish.length / flops(arch, 1, wish.length, recompute=recompute, predicted=wish.predicted).total


def _first_that_fits(
    ranked: Sequence[tuple[float, Arch, float]], wish: Wish, memory: int
) -> tuple[tuple[float, Arch, float], tuple[Pass, Memory]]:
    """The best size for which some batch fits, without recomputing if it can be."""
    least = None
    for one in ranked:
        for recompute in (False, True):
            for batch in (wish.batch,) if wish.batch else BATCHES:
                step = Pass(batch, wish.length, precision=wish.precision, recompute=recompute, device=wish.device)
                taken = training_memory(one[1], step, chunked(one[1], step, Learning(wish.optimizer)))
                if taken.total <= memory:
                    return one, (step, taken)
                least = min(least or taken.total, taken.total)
    raise UserError(
        f"not even the smallest model fits: it needs {show_bytes(least or 0)} and {show_bytes(memory)} are there",
        "give a smaller vocabulary or a shorter text: dragoman plan vocabulary=8192 length=256",
    )
