"""Only the biases learn: a thousandth of the weights, and nothing is put into the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dragoman.core.errors import UserError

if TYPE_CHECKING:
    from dragoman.train.doors import Pace

__all__ = ["Bitfit"]


@dataclass(frozen=True)
class Bitfit:
    """BitFit (Zaken et al. 2021, 2106.10199): every bias of matrices and norms learns, and a fresh head whole."""

    rate: ClassVar[float] = 1e-3
    epochs: ClassVar[float] = 6.0

    def apply(self, net: Any, seed: int) -> Any:
        """Let the biases learn. Raises UserError where the model has none, as Llama and T5 have none."""
        from dragoman.train.anatomy import freeze, fresh_parts

        heads = tuple(f"{name}." for name in fresh_parts(net))
        biases = [
            weight
            for name, weight in net.named_parameters()
            if name.rpartition(".")[2] == "bias" and not name.startswith(heads)
        ]
        if not biases:
            raise UserError(
                f"bitfit lets biases learn, but this model ({net.arch.family}) has none",
                "choose tuning=lora or tuning=ia3",
            )
        freeze(net)
        for bias in biases:
            bias.requires_grad_(True)
        return net

    def paces(self, net: Any) -> Mapping[str, Pace]:
        """One pace for all."""
        from dragoman.train.paces import by_depth

        return by_depth(net)

    def merge(self, net: Any) -> Any:
        """The net as it is: the biases are its own."""
        return net
