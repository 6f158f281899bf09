"""Two small networks in each block learn, everything around them stays: the first adapters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dragoman.core.errors import UserError

if TYPE_CHECKING:
    from dragoman.train.doors import Pace

__all__ = ["Adapter"]


@dataclass(frozen=True)
class Adapter:
    """Bottleneck adapters (Houlsby et al. 2019, 1902.00751): one behind each attention, one behind each feed-forward.

    2 (2 d m + m + d) numbers a block of width d learn, and a fresh head whole. A block of a decoder that reads an
    encoder has one more, behind its second attention. No plain matrix says the same: the model is its base and the
    adapter's file, and is opened with both.
    """

    rate: ClassVar[float] = 1e-3
    epochs: ClassVar[float] = 6.0
    merges: ClassVar[bool] = False

    width: int = 64
    "The width m of a bottleneck."

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UserError(f"width cannot be {self.width}", "it must be 1 or more")

    def apply(self, net: Any, seed: int) -> Any:
        """Put a bottleneck behind the last matrix of each half of each block."""
        import torch

        from dragoman.train.anatomy import chosen, freeze, put
        from dragoman.train.bottleneck import Bottleneck

        wanted = chosen(net, ("output", "down"), "adapter")
        freeze(net)
        dice = torch.Generator().manual_seed(seed)
        for name, whole in wanted.items():
            put(net, name, Bottleneck(whole, self.width, dice))
        return net

    def paces(self, net: Any) -> Mapping[str, Pace]:
        """One pace for all."""
        from dragoman.train.paces import by_depth

        return by_depth(net)

    def merge(self, net: Any) -> Any:
        """The net as it is: what bends is no matrix. It is saved as its base and the adapter's file."""
        return net
