"""Every weight learns, from nothing or going on with pretraining: no head is fresher than the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from dragoman.train.doors import Pace

__all__ = ["Scratch"]


@dataclass(frozen=True)
class Scratch:
    """Pretraining: all weights at one pace."""

    rate: ClassVar[float] = 3e-3
    epochs: ClassVar[float] = 1.0

    def apply(self, net: Any, seed: int) -> Any:
        """Let everything learn."""
        return net.requires_grad_(True)

    def paces(self, net: Any) -> Mapping[str, Pace]:
        """The same for every weight."""
        from dragoman.train.doors import Pace

        return {name: Pace() for name, _ in net.named_parameters()}

    def merge(self, net: Any) -> Any:
        """The net as it is."""
        return net
