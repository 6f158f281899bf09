"""Only the head learns: the encoder reads every text once, and an epoch costs milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from dragoman.nn.heads import Classifier
    from dragoman.train.doors import Pace

__all__ = ["Head"]


@dataclass(frozen=True)
class Head:
    """A classifier on a frozen encoder (the linear probe, with the family's own dense layer in front)."""

    rate: ClassVar[float] = 3e-3
    epochs: ClassVar[float] = 20.0

    def apply(self, net: Classifier, seed: int) -> Classifier:
        """Freeze the encoder."""
        net.requires_grad_(False)
        net.head.requires_grad_(True)
        return net

    def paces(self, net: Classifier) -> Mapping[str, Pace]:
        """One pace for the whole head."""
        from dragoman.train.paces import by_depth

        return by_depth(net)

    def merge(self, net: Classifier) -> Classifier:
        """The net as it is."""
        return net
