"""Thin matrices learn beside the frozen ones: a few hundred kilobytes, added to the model or merged into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dragoman.core.errors import UserError

if TYPE_CHECKING:
    from dragoman.nn.heads import Classifier
    from dragoman.train.doors import Pace

__all__ = ["Lora"]


@dataclass(frozen=True)
class Lora:
    """LoRA (Hu et al. 2021, 2106.09685) on the encoder's matrices; the head learns whole.

    Each matrix W gets B A x * alpha / rank beside it, or alpha / sqrt(rank) when stabilised (Kalajdzievski 2023,
    2312.03732), which keeps the gradient's size at high ranks. Merged in float64 from the untouched W.
    """

    rate: ClassVar[float] = 1e-3
    epochs: ClassVar[float] = 6.0

    rank: int = 8
    "Rows of the thin matrices."
    alpha: float = 16.0
    "The weight of what is learnt: it counts alpha / rank times."
    stabilised: bool = False
    "Divide alpha by the square root of the rank instead (rsLoRA)."
    where: tuple[str, ...] = ("query", "key", "value", "output", "up", "down")
    "Which matrices get one: query, key, value and output of attention, up and down of the feed-forward part."
    dropout: float = 0.0
    "The share of a thin matrix's input that is dropped in training."

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise UserError(f"rank cannot be {self.rank}", "it must be 1 or more")
        if self.alpha <= 0:
            raise UserError(f"alpha cannot be {self.alpha}", "it must be above 0; twice the rank is usual")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout cannot be {self.dropout}", "it must be at least 0 and below 1")

    @property
    def scale(self) -> float:
        """What B A x is multiplied by."""
        return float(self.alpha / self.rank**0.5 if self.stabilised else self.alpha / self.rank)

    def apply(self, net: Classifier, seed: int) -> Classifier:
        """Put a thin pair beside each matrix named in `where`. Raises UserError where a name matches none."""
        import torch

        from dragoman.train.low_rank import LowRank

        names = [name for name, module in net.encoder.named_modules() if isinstance(module, torch.nn.Linear)]
        known = sorted({name.rpartition(".")[2] for name in names})
        for wanted in self.where or ("",):
            if wanted not in known:
                raise UserError(
                    f"lora finds no matrix named '{wanted}' in this model",
                    f"name one or more in where: {', '.join(known)}",
                )
        net.requires_grad_(False)
        net.head.requires_grad_(True)
        dice = torch.Generator().manual_seed(seed)
        for name in names:
            place, _, last = name.rpartition(".")
            if last in self.where:
                parent = net.encoder.get_submodule(place)
                whole = net.encoder.get_submodule(name)
                assert isinstance(whole, torch.nn.Linear)
                setattr(parent, last, LowRank(whole, self.rank, self.scale, self.dropout, dice))
        return net

    def paces(self, net: Classifier) -> Mapping[str, Pace]:
        """One pace for all."""
        from dragoman.train.paces import by_depth

        return by_depth(net)

    def merge(self, net: Classifier) -> Classifier:
        """Add what was learnt to the matrices and take the thin ones away."""
        from dragoman.train.low_rank import low_rank_modules

        for name, module in low_rank_modules(net).items():
            place, _, last = name.rpartition(".")
            setattr(net.get_submodule(place), last, module.merged())
        return net
