"""Every weight learns: the dearest tuning, and the best where there are enough examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dragoman.core.errors import UserError

if TYPE_CHECKING:
    from dragoman.train.doors import Pace

__all__ = ["Full"]


@dataclass(frozen=True)
class Full:
    """Fine-tuning as in BERT (Devlin et al. 2018), with layer-wise decay where it is wanted."""

    rate: ClassVar[float] = 1e-4
    epochs: ClassVar[float] = 3.0

    layer_decay: float = 1.0
    "How much slower each layer learns than the one above it; 1 is the same pace for all."
    head_pace: float = 5.0
    "How many times faster than the body a fresh head learns, which starts from nothing."

    def __post_init__(self) -> None:
        if not 0 < self.layer_decay <= 1:
            raise UserError(f"layer_decay cannot be {self.layer_decay}", "it must be above 0 and at most 1")
        if self.head_pace <= 0:
            raise UserError(f"head_pace cannot be {self.head_pace}", "it must be above 0")

    def apply(self, net: Any, seed: int) -> Any:
        """Let everything learn."""
        return net.requires_grad_(True)

    def paces(self, net: Any) -> Mapping[str, Pace]:
        """The head faster than the body, lower layers slower than higher ones."""
        from dragoman.train.paces import by_depth

        return by_depth(net, self.layer_decay, self.head_pace)

    def merge(self, net: Any) -> Any:
        """The net as it is."""
        return net
