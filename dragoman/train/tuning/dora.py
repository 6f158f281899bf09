"""Thin matrices learn the direction of the frozen ones and a vector their length: LoRA, decomposed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dragoman.train.tuning._thin import check_thin, thin_scale

if TYPE_CHECKING:
    from torch import Tensor

    from dragoman.train.doors import Pace

__all__ = ["Dora"]


@dataclass(frozen=True)
class Dora:
    """DoRA (Liu et al. 2024, 2402.09353) on the matrices of the blocks; a fresh head learns whole.

    Each matrix becomes m * (W + s B A) / |W + s B A|, row by row, and m learns with A and B: one number an output more
    than LoRA, and a product of the thin matrices at every pass. Merged in float64 from the untouched W.
    """

    rate: ClassVar[float] = 1e-3
    epochs: ClassVar[float] = 6.0
    beside: ClassVar[bool] = True

    rank: int = 8
    "Rows of the thin matrices."
    alpha: float = 16.0
    "The weight of what is learnt: it counts alpha / rank times."
    stabilised: bool = False
    "Divide alpha by the square root of the rank instead (rsLoRA)."
    where: tuple[str, ...] = ()
    "Which matrices get one, of query, key, value, output, gate, up and down; none named is all that there are."
    dropout: float = 0.0
    "The share of a thin matrix's input that is dropped in training."

    def __post_init__(self) -> None:
        check_thin(self.rank, self.alpha, self.dropout)

    @property
    def scale(self) -> float:
        """What B A x is multiplied by."""
        return thin_scale(self.rank, self.alpha, self.stabilised)

    def apply(self, net: Any, seed: int) -> Any:
        """Put a thin pair and lengths beside each matrix in `where`. Raises UserError where a name matches none."""
        from dragoman.train.low_rank import put_low_rank

        put_low_rank(net, self.where, "dora", self.rank, self.scale, self.dropout, seed, decomposed=True)
        return net

    def paces(self, net: Any) -> Mapping[str, Pace]:
        """One pace for all."""
        from dragoman.train.paces import by_depth

        return by_depth(net)

    def merge(self, net: Any) -> Any:
        """Add what was learnt to the matrices and take the thin ones away."""
        from dragoman.train.low_rank import merge_low_rank

        merge_low_rank(net)
        return net

    def to_peft(self, net: Any, names: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What PEFT reads as the same adapter: settings, and tensors by published name."""
        from dragoman.train.exchange import thin_to_peft

        return thin_to_peft(net, names, self.rank, self.alpha, self.stabilised, self.dropout)

    @classmethod
    def from_peft(
        cls, config: Mapping[str, Any], tensors: Mapping[str, Tensor], net: Any, names: Mapping[str, str]
    ) -> tuple[Dora, dict[str, Tensor]]:
        """The tuning that made an adapter, and its tensors by our names. Raises UserError where it does not fit."""
        from dragoman.train.exchange import thin_from_peft

        found, ours = thin_from_peft(config, tensors, net, names, decomposed=True)
        return cls(found.rank, found.alpha, found.stabilised, found.where, found.dropout), ours
