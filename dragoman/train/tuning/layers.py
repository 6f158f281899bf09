"""The top layers learn with the head, the layers below stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dragoman.core.errors import UserError

if TYPE_CHECKING:
    from dragoman.train.doors import Pace

__all__ = ["Layers"]


@dataclass(frozen=True)
class Layers:
    """The top `top` blocks and the head learn; lower ones slower, and later where `gradual` says so (ULMFiT, 2018).

    The blocks of a decoder stand on those of its encoder. What stands above the highest block (the last norm, the
    prediction of words where its table is its own) learns with it.
    """

    rate: ClassVar[float] = 2e-4
    epochs: ClassVar[float] = 6.0

    top: int = 2
    "How many blocks learn, counted from the head; the number of all blocks plus 1 is the words as well."
    layer_decay: float = 0.9
    "How much slower each layer learns than the one above it."
    head_pace: float = 5.0
    "How many times faster than the body a fresh head learns, which starts from nothing."
    gradual: float = 0.0
    "Epochs between one block's start and the next lower one's; the head starts first. 0 starts all at once."

    def __post_init__(self) -> None:
        if self.top < 1:
            raise UserError(f"top cannot be {self.top}", "it must be 1 or more; for none, choose the tuning head")
        if not 0 < self.layer_decay <= 1:
            raise UserError(f"layer_decay cannot be {self.layer_decay}", "it must be above 0 and at most 1")
        if self.head_pace <= 0:
            raise UserError(f"head_pace cannot be {self.head_pace}", "it must be above 0")
        if self.gradual < 0:
            raise UserError(f"gradual cannot be {self.gradual}", "it must be 0 or more")

    def apply(self, net: Any, seed: int) -> Any:
        """Freeze what stands below the top blocks. Raises UserError where the net has fewer."""
        from dragoman.train.anatomy import blocks, levels

        layers = len(blocks(net))
        if self.top > layers + 1:
            raise UserError(
                f"top is {self.top}, but this model has {layers} blocks", f"give {layers + 1} or less, or choose full"
            )
        found = levels(net)
        for name, weight in net.named_parameters():
            weight.requires_grad_(found[name] > layers - self.top)
        return net

    def paces(self, net: Any) -> Mapping[str, Pace]:
        """Lower layers slower and, with `gradual`, later."""
        from dragoman.train.anatomy import blocks, levels
        from dragoman.train.doors import Pace
        from dragoman.train.paces import by_depth

        layers, found = len(blocks(net)), levels(net)
        plain = by_depth(net, self.layer_decay, self.head_pace)
        above = {name: layers + 1 - found[name] for name in plain}
        return {name: Pace(pace.factor, self.gradual * above[name]) for name, pace in plain.items()}

    def merge(self, net: Any) -> Any:
        """The net as it is."""
        return net
