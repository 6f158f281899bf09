"""Thin matrices learn beside a base that is kept in four bits: a model trains where it would not fit otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dragoman.train.tuning._thin import check_thin, thin_scale

if TYPE_CHECKING:
    from torch import Tensor

    from dragoman.train.doors import Pace
    from dragoman.train.tuning.lora import Lora

__all__ = ["Qlora"]


@dataclass(frozen=True)
class Qlora:
    """QLoRA (Dettmers et al. 2023, 2305.14314): LoRA beside matrices in NF4 with double quantisation.

    Every matrix of the blocks is rounded, in blocks of 64, to 4.127 bits a number; what is learnt is LoRA's alone.
    Merged, it is added to the matrices of before the rounding where `base` says where they lie, and to the rounded ones
    in full where it does not; never is anything rounded again.
    """

    rate: ClassVar[float] = 1e-3
    epochs: ClassVar[float] = 6.0
    beside: ClassVar[bool] = True
    rounds: ClassVar[bool] = True

    rank: int = 8
    "Rows of the thin matrices."
    alpha: float = 16.0
    "The weight of what is learnt: it counts alpha / rank times."
    stabilised: bool = False
    "Divide alpha by the square root of the rank instead (rsLoRA)."
    where: tuple[str, ...] = ()
    "Which matrices get a thin pair, of query, key, value, output, gate, up and down; none named is all that there are."
    dropout: float = 0.0
    "The share of a thin matrix's input that is dropped in training."
    base: str = ""
    "The folder of the model before it was rounded, to whose matrices merging adds what was learnt."

    def __post_init__(self) -> None:
        check_thin(self.rank, self.alpha, self.dropout)

    @property
    def scale(self) -> float:
        """What B A x is multiplied by."""
        return thin_scale(self.rank, self.alpha, self.stabilised)

    def apply(self, net: Any, seed: int) -> Any:
        """Round the matrices and put thin pairs beside those named in `where`.

        Raises UserError where a name matches none, or bitsandbytes is not installed.
        """
        from dragoman.train.anatomy import chosen, freeze
        from dragoman.train.quantised import quantise

        wanted = tuple(chosen(net, self.where, "qlora"))
        quantise(net)
        freeze(net)
        self._put_pairs(net, wanted, seed)
        return net

    def paces(self, net: Any) -> Mapping[str, Pace]:
        """One pace for all."""
        from dragoman.train.paces import by_depth

        return by_depth(net)

    def merge(self, net: Any) -> Any:
        """The net as a plain one: what was learnt added to the matrices of `base`, or to the rounded ones in full.

        Raises UserError where `base` holds another model than the one that was rounded.
        """
        from dragoman.train.low_rank import merge_low_rank
        from dragoman.train.quantised import dense, merge_onto

        if self.base:
            return merge_onto(net, _original(net, self.base))
        merge_low_rank(net)
        dense(net)
        return net

    def to_peft(self, net: Any, names: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What PEFT reads as the same adapter: a LORA, which goes over the base in four bits or in full."""
        return self._beside().to_peft(net, names)

    def _beside(self) -> Lora:
        from dragoman.train.tuning.lora import Lora

        return Lora(self.rank, self.alpha, self.stabilised, self.where, self.dropout)

    def _put_pairs(self, net: Any, wanted: tuple[str, ...], seed: int) -> None:
        import torch

        from dragoman.train.anatomy import put
        from dragoman.train.low_rank import LowRank

        dice = torch.Generator().manual_seed(seed)
        for name in wanted:
            whole = net.get_submodule(name)
            put(net, name, LowRank(whole, self.rank, self.scale, self.dropout, dice))


def _original(net: Any, base: str) -> Any:
    """The model of a folder, of the same kind as a net."""
    from pathlib import Path

    from dragoman.nn.decoder import Decoder
    from dragoman.nn.encdec import EncoderDecoder
    from dragoman.nn.masked import MaskedLM
    from dragoman.nn.store import load_encoder, load_lm

    folder = Path(base)
    if isinstance(net, Decoder | EncoderDecoder | MaskedLM):
        return load_lm(folder)
    from torch import nn

    holder = nn.Module()  # the encoder in the place where a net with a head has it
    holder.encoder = load_encoder(folder)
    return holder
