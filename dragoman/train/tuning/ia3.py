"""Keys, values and what the feed-forward parts think are turned up or down: a few thousand numbers learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dragoman.core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from dragoman.train.doors import Pace

__all__ = ["Ia3"]


@dataclass(frozen=True)
class Ia3:
    """IA3 (Liu et al. 2022, 2205.05638): one gain for each number of a key, a value and a feed-forward's inner state.

    d_key + d_value + d_feed_forward numbers a block learn, and a fresh head whole. Merged in float64.
    """

    rate: ClassVar[float] = 3e-3
    epochs: ClassVar[float] = 6.0

    outputs: tuple[str, ...] = ("key", "value")
    "The matrices whose answers are multiplied."
    inputs: tuple[str, ...] = ("down",)
    "The matrices whose inputs are: that of down is the feed-forward's inner state."

    def __post_init__(self) -> None:
        if not self.outputs and not self.inputs:
            raise UserError("ia3 has nothing to multiply", "say tuning.outputs=key,value or tuning.inputs=down")
        if both := sorted(set(self.outputs) & set(self.inputs)):
            raise UserError(f"ia3 cannot multiply both sides of {both[0]}", "name it in outputs or in inputs")

    def apply(self, net: Any, seed: int) -> Any:
        """Put gains of 1 beside the matrices. Raises UserError where a name matches none."""
        from dragoman.train.anatomy import chosen, freeze, put
        from dragoman.train.rescaled import Rescaled

        wanted = chosen(net, (*self.outputs, *self.inputs), "ia3")
        freeze(net)
        for name, whole in wanted.items():
            put(net, name, Rescaled(whole, entering=name.rpartition(".")[2] in self.inputs))
        return net

    def paces(self, net: Any) -> Mapping[str, Pace]:
        """One pace for all."""
        from dragoman.train.paces import by_depth

        return by_depth(net)

    def merge(self, net: Any) -> Any:
        """Multiply the matrices and take the gains away."""
        from dragoman.train.rescaled import merge_rescaled

        merge_rescaled(net)
        return net

    def to_peft(self, net: Any, names: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What PEFT reads as the same adapter: settings, and tensors by published name."""
        from dragoman.train.exchange import gains_to_peft

        return gains_to_peft(net, names)

    @classmethod
    def from_peft(
        cls, config: Mapping[str, Any], tensors: Mapping[str, Tensor], net: Any, names: Mapping[str, str]
    ) -> tuple[Ia3, dict[str, Tensor]]:
        """The tuning that made an adapter, and its tensors by our names. Raises UserError where it does not fit."""
        from dragoman.train.exchange import gains_from_peft

        outputs, inputs, ours = gains_from_peft(tensors, net, names)
        return cls(outputs, inputs), ours
