"""What training is put together from: an objective (what is learnt), a tuning (which weights do), the settings.

Importing this file does not import torch, so that a mistake in the settings is answered at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from dragoman.core.errors import UserError
from dragoman.core.registry import Registry

if TYPE_CHECKING:
    import torch

__all__ = [
    "OBJECTIVES",
    "TUNINGS",
    "Batch",
    "Encoded",
    "Feed",
    "How",
    "Kit",
    "Loss",
    "Objective",
    "Pace",
    "Piece",
    "Step",
    "Tokens",
    "Tuning",
    "settle",
]

OBJECTIVES = Registry("dragoman.train.objectives", "objective")
TUNINGS = Registry("dragoman.train.tuning", "tuning")


@dataclass(frozen=True, slots=True)
class How:
    """The settings of the loop, the same for every objective and every tuning."""

    epochs: float = 0.0
    "How many times all examples are seen; 0 takes the tuning's own number."
    steps: int = 0
    "How many steps are taken, whatever the epochs say; 0 takes the epochs."
    rate: float = 0.0
    "The learning rate at its highest; 0 takes the tuning's own."
    batch: int = 32
    "Examples in one step."
    accumulation: int = 1
    "Into how many parts a step's batch is cut to save memory; the gradient stays the same."
    max_length: int = 128
    "The most tokens of a text that are read."
    optimizer: Literal["adamw", "muon"] = "adamw"
    "What follows the gradient; muon takes the matrices of the hidden layers and leaves the rest to adamw."
    warmup: float = 0.1
    "The share of the steps in which the rate rises to its highest."
    schedule: Literal["constant", "linear", "cosine", "wsd"] = "linear"
    "How the rate goes on after the warm-up: it stays, falls, or (wsd) stays and falls in the last steps."
    cooldown: float = 0.2
    "The share of the steps in which wsd lets the rate fall."
    floor: float = 0.0
    "The share of the highest rate at which a falling rate ends."
    decay: float = 0.01
    "Weight decay of the matrices (AdamW, Loshchilov and Hutter 2019); biases and norms have none."
    average: float = 0.99
    "The share of the running average of the weights that a step keeps; the average is what is kept. 0 takes none."
    clip: float = 1.0
    "The longest gradient a step may follow; 0 does not clip."
    beta1: float = 0.9
    "How much of the running mean of the gradient a step keeps."
    beta2: float = 0.999
    "How much of the running mean of the squared gradient a step keeps."
    epsilon: float = 1e-8
    "What AdamW adds to the root of the squared gradient."
    momentum: float = 0.95
    "How much of its running mean of the gradient Muon keeps."
    seed: int = 0
    "The seed of the order of the examples, of fresh weights and of dropout."
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    "The numbers that are multiplied; auto takes bf16 where this machine multiplies it fast. Weights are kept in fp32."
    device: str = "auto"
    "Where to train: auto, cpu, cuda or mps."
    compile: bool = False
    "Compile the blocks first: it takes 10 to 60 seconds and pays in runs of many minutes."
    recompute: bool = False
    "Keep only what enters each block and compute the rest again on the way back: less memory, a third more work."
    on_nan: Literal["stop", "skip"] = "stop"
    "What a loss or gradient that is not finite does: it stops the run, or its step is left out and counted."
    every: float = 1.0
    "After how many epochs the validation part is measured."
    patience: int = 3
    "Stop after so many measurements without a better one; 0 never stops early."
    save_seconds: float = 60.0
    "The most seconds of work that a kill can cost: so often the state is saved."
    save_share: float = 0.05
    "The most of the time that saving may take: where it would take more, it is done less often. 1 sets no bound."

    def __post_init__(self) -> None:
        lowest = {"epochs": 0, "rate": 0, "batch": 1, "accumulation": 1, "max_length": 3, "warmup": 0, "decay": 0}
        lowest |= {"clip": 0, "beta1": 0, "beta2": 0, "epsilon": 0, "patience": 0, "save_seconds": 0, "average": 0}
        lowest |= {"seed": 0, "steps": 0, "momentum": 0, "cooldown": 0, "floor": 0}
        for name, least in lowest.items():
            if not least <= getattr(self, name) < float("inf"):
                raise UserError(f"train.{name} cannot be {getattr(self, name)}", f"it must be {least} or more")
        for name in ("warmup", "beta1", "beta2", "average", "momentum"):
            if getattr(self, name) >= 1:
                raise UserError(f"train.{name} cannot be {getattr(self, name)}", "it must be below 1")
        for name in ("cooldown", "floor", "save_share"):
            if getattr(self, name) > 1:
                raise UserError(f"train.{name} cannot be {getattr(self, name)}", f"it is a share: train.{name}=0.1")
        if not self.save_share > 0:
            raise UserError(f"train.save_share cannot be {self.save_share}", "train.save_share=0.05 is usual")
        if not 0 < self.every < float("inf"):
            raise UserError(f"train.every cannot be {self.every}", "train.every=1 measures once an epoch")
        if self.accumulation > self.batch:
            raise UserError(
                f"a batch of {self.batch} cannot be cut into {self.accumulation} parts", "lower train.accumulation"
            )


class Feed(Protocol):
    """What an objective made of the data: the loop asks how long an epoch is, a checkpoint whether it is the same."""

    @property
    def cut(self) -> int:
        """How many examples were longer than max_length, and shortened."""
        ...

    @property
    def dropped(self) -> int:
        """How many examples were left out, because nothing of them could be learnt."""
        ...

    def steps_an_epoch(self, batch: int) -> int:
        """How many steps see everything once; the last may be smaller."""
        ...

    def digest(self) -> str:
        """SHA-256 that is another one when anything that is learnt is."""
        ...

    def words(self) -> Collection[int]:
        """The token ids that occur, where the table of words need learn no others; empty where it learns whole."""
        ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """All examples of a training set as the net reads them, tokenised once. Row i is the same example in each field."""

    names: tuple[str, ...]
    "what an example is called in messages and in the hash chain of the order"
    ids: Sequence[Sequence[int]]
    "token ids, special tokens included"
    targets: torch.Tensor
    "what is to be learnt, one row an example"
    weights: torch.Tensor
    "float32, how much an example counts"
    cut: int = 0
    "how many examples were longer than max_length"
    dropped: int = 0
    "how many examples were left out"

    def steps_an_epoch(self, batch: int) -> int:
        """How many steps see every example once; the last batch may be smaller."""
        return -(-len(self.names) // batch)

    def digest(self) -> str:
        """SHA-256 over names, token ids, targets and weights of all examples, in their order."""
        whole = hashlib.sha256("\0".join(self.names).encode())
        for ids in self.ids:
            whole.update(b"%d:" % len(ids) + b",".join(b"%d" % token for token in ids))
        for tensor in (self.targets, self.weights):
            whole.update(tensor.contiguous().numpy().tobytes())
        return whole.hexdigest()

    def words(self) -> Collection[int]:
        """The token ids that occur."""
        return {token for ids in self.ids for token in ids}


class Piece(Protocol):
    """What the loop needs to know of a batch, whatever the objective put in: several make one step."""

    @property
    def names(self) -> tuple[str, ...]:
        """What its examples are called."""
        ...

    @property
    def weight(self) -> float:
        """What the sum of its losses counts for: the step's loss is the sum of all losses over that of all weights."""
        ...

    @property
    def tokens(self) -> int:
        """Tokens that are not padding."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples as one pass through the net reads them."""

    names: tuple[str, ...]
    ids: torch.Tensor
    "[b, s] token ids"
    mask: torch.Tensor | None
    "[b, s] True on the text; None where nothing is padding"
    targets: torch.Tensor
    weights: torch.Tensor
    weight: float
    "the sum of `weights`: what the batch's loss is to be divided by"
    tokens: int
    "tokens that are not padding"
    first: torch.Tensor | None = None
    "[b, w] states of the first token, where the encoder is frozen and they were computed once"


@dataclass(frozen=True, slots=True)
class Loss:
    """`total` is the sum over the batch, not the mean: only then do parts of a step add up to the whole of it."""

    total: torch.Tensor
    told: Mapping[str, torch.Tensor] = field(default_factory=dict)
    "figures besides it, by name, each a sum over the batch too"


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of the optimiser did."""

    number: int
    "1 after the first step"
    epoch: float
    "how many times all examples have been seen"
    loss: float
    "the weighted mean over the step's examples"
    norm: float
    "the length of the gradient before clipping"
    rate: float
    "the learning rate of this step, before the pace of each group"
    examples: tuple[str, ...]
    tokens: int
    "tokens that are not padding"
    chain: str
    "SHA-256 over the names of all examples so far, in the order they were learnt"
    skipped: bool = False
    "whether something in it was not finite, so that nothing was learnt"
    figures: Mapping[str, float] = field(default_factory=dict)
    "what the objective tells besides its loss: the weighted mean of each figure over the step"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a weight learns beside the others, and from which epoch on."""

    factor: float = 1.0
    opens: float = 0.0


class Tokens(Protocol):
    """The part of a tokenizer that training on examples needs."""

    pad_id: int

    def encode(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut on the right."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has uncut."""
        ...


@dataclass(frozen=True, slots=True)
class Kit:
    """What an objective is given besides the net: the settings in force and the tools."""

    how: How
    tokenizer: Any
    "a Tokens, or what else the objective asks of it"
    device: str = "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"
    learning: frozenset[str] = frozenset()
    "the names of all weights that learn at some time"
    rank: int = 0
    "which of the processes that train together this one is"
    ranks: int = 1
    "how many there are; each reads its share of every step's batch"
    beside: bool = False
    "whether what the tuning teaches stands beside frozen weights and can be switched off"

    @property
    def encoder_frozen(self) -> bool:
        """Whether the head alone learns, so that an encoder need read each text only once."""
        return all(name.startswith("head.") for name in self.learning)


class Objective(Protocol):
    """What is learnt. `needs` names what must be at hand: a reference, a reward, a teacher, preferences as the rows.

    Which nets and which data it takes stands in its own signatures: a classifier and examples, or a language model and
    tokenised documents.
    """

    needs: ClassVar[tuple[str, ...]]

    def encode(self, net: Any, data: Any, kit: Kit) -> Feed:
        """The data as the net reads it. Raises UserError where it cannot be learnt."""
        ...

    def stream(self, net: Any, encoded: Any, kit: Kit, start: int) -> Iterator[tuple[Piece, ...]]:
        """The batches of each step from step `start` on, without end: a pure function of (seed, step)."""
        ...

    def loss(self, net: Any, batch: Any, kit: Kit) -> Loss:
        """What is to become small."""
        ...


class Tuning(Protocol):
    """Which weights learn. `rate` and `epochs` are what works for models of 20 to 100 million weights."""

    rate: ClassVar[float]
    epochs: ClassVar[float]

    def apply(self, net: Any, seed: int) -> Any:
        """The net with `requires_grad` on what learns and nothing else; modules may be added. Raises UserError."""
        ...

    def paces(self, net: Any) -> Mapping[str, Pace]:
        """The pace of every weight that learns at some time, by its name."""
        ...

    def merge(self, net: Any) -> Any:
        """The net as a plain one again, with what was learnt in its own weights, to within rounding."""
        ...


def settle(how: How, tuning: Tuning, objective: Any = None) -> How:
    """The settings with the tuning's own rate and epochs where none were given.

    An objective that moves a finished model a little says so: it has epochs of its own, and takes a share of the rate.
    """
    epochs = how.epochs or getattr(objective, "epochs", 0.0) or tuning.epochs
    return replace(how, rate=how.rate or tuning.rate * getattr(objective, "gentle", 1.0), epochs=epochs)
