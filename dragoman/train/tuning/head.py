"""Only the head learns: an encoder reads every text once, and an epoch costs milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dragoman.core.errors import UserError

if TYPE_CHECKING:
    from dragoman.train.doors import Pace

__all__ = ["Head"]


@dataclass(frozen=True)
class Head:
    """A head on a frozen encoder (the linear probe, with a classifier's own dense layer in front).

    In a language model it is the matrix that predicts words, where that is not the table that reads them.
    """

    rate: ClassVar[float] = 3e-3
    epochs: ClassVar[float] = 20.0

    def apply(self, net: Any, seed: int) -> Any:
        """Freeze all but the head. Raises UserError where the head is tied to the table of words."""
        from dragoman.train.anatomy import freeze, fresh_parts, stacks

        fresh = bool(fresh_parts(net))
        if not fresh and any(net.head.weight is stack.embeddings.words.weight for stack in stacks(net).values()):
            raise UserError(
                "this model predicts words with the table that reads them: a head alone would change both",
                "choose tuning=lora, or tuning=layers tuning.top=1",
            )
        freeze(net)
        if not fresh:
            net.head.requires_grad_(True)
        return net

    def paces(self, net: Any) -> Mapping[str, Pace]:
        """One pace for the whole head."""
        from dragoman.train.paces import by_depth

        return by_depth(net)

    def merge(self, net: Any) -> Any:
        """The net as it is."""
        return net
