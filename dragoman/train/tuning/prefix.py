"""Every layer gets a few learnt keys and values in front of every text, and nothing else learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from dragoman.core.errors import UserError
from dragoman.train.tuning._front import check_front, first_ids

if TYPE_CHECKING:
    from torch import Tensor

    from dragoman.nn.decoder import Decoder
    from dragoman.nn.encdec import EncoderDecoder
    from dragoman.train.doors import Pace

__all__ = ["Prefix"]

_AGAIN = "train it again with: dragoman train tuning=prefix"


@dataclass(frozen=True)
class Prefix:
    """Prefix tuning (Li and Liang 2021, 2101.00190): `tokens` keys and values in front of every text, in every layer.

    2 x layers x tokens x kv_heads x head_width numbers, learnt as they are and not through another net. They begin as
    what the layers make of words (section 7.4), so that at first the model answers as behind those. An encoder-decoder
    has them in the self-attention of both halves. They cannot be merged: the model is its base and them.
    """

    rate: ClassVar[float] = 3e-2
    epochs: ClassVar[float] = 10.0
    merges: ClassVar[bool] = False

    tokens: int = 20
    "How many keys and values a layer gets; each takes the place of a token of the text."
    begin: tuple[int, ...] = ()
    "The token ids they begin from, over and over until there are enough; none: words drawn from the vocabulary."
    text: str = ""
    'The words they begin from instead, such as what the task is: tuning.text="Sum up this letter".'

    def __post_init__(self) -> None:
        check_front(self.tokens, self.begin, self.text)

    def begun(self, tokenizer: Any) -> Self:
        """The same with its text as token ids. Raises UserError where the text has no words."""
        return replace(self, begin=first_ids(self.begin, self.text, tokenizer), text="")

    def apply(self, net: Decoder | EncoderDecoder, seed: int) -> Decoder | EncoderDecoder:
        """Put the pairs in front. Raises UserError where the model writes nothing or has no positions left."""
        from dragoman.train.prompts import choose_words, put_prefix, require_writer

        require_writer(net, "prefix")
        put_prefix(net, choose_words(net, self.tokens, self.begin, seed))
        return net

    def paces(self, net: Decoder | EncoderDecoder) -> Mapping[str, Pace]:
        """One pace for all."""
        from dragoman.train.paces import by_depth

        return by_depth(net)

    def merge(self, net: Decoder | EncoderDecoder) -> Decoder | EncoderDecoder:
        """The net as it is: no weight of it can say what the pairs say."""
        return net

    def to_peft(
        self, net: Decoder | EncoderDecoder, names: Mapping[str, str]
    ) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """PEFT's PREFIX_TUNING: `prompt_embeddings` [tokens, 2 x layers x kv_heads x head_width], key before value.

        Raises UserError for an encoder-decoder, of which PEFT keeps pairs of the decoder alone.
        """
        import torch

        from dragoman.nn.encdec import EncoderDecoder
        from dragoman.train.prompts import learnt_pairs

        if isinstance(net, EncoderDecoder):
            raise UserError("PEFT's prefix has no keys and values of an encoder", _AGAIN)
        pairs = learnt_pairs(net).values()
        halves = [half.detach().flatten(1) for pair in pairs for half in (pair.keys, pair.values)]
        width = net.arch.groups * net.arch.head_size
        config = {
            "peft_type": "PREFIX_TUNING",
            "num_virtual_tokens": self.tokens,
            "token_dim": width,
            "num_attention_heads": net.arch.groups,
            "num_layers": net.arch.layers,
            "num_transformer_submodules": 1,
            "encoder_hidden_size": width,
            "prefix_projection": False,
            "inference_mode": True,
        }
        return config, {"prompt_embeddings": torch.cat(halves, dim=1)}

    @classmethod
    def from_peft(
        cls,
        config: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        net: Decoder | EncoderDecoder,
        names: Mapping[str, str],
    ) -> tuple[Self, dict[str, Tensor]]:
        """The tuning and its pairs. Raises UserError where they are not this model's."""
        from dragoman.nn.encdec import EncoderDecoder
        from dragoman.train.prompts import prompt_of_peft, require_writer

        require_writer(net, "prefix")
        layers, groups, size = net.arch.layers, net.arch.groups, net.arch.head_size
        found = prompt_of_peft(config, tensors, "PREFIX_TUNING")
        count = int(config["num_virtual_tokens"])
        if isinstance(net, EncoderDecoder) or tuple(found.shape) != (count, 2 * layers * groups * size):
            raise UserError(
                f"the prefix is {tuple(found.shape)} and does not fit this model's layers and heads", _AGAIN
            )
        halves = found.view(count, 2 * layers, groups, size).unbind(1)  # [k, g, d] each
        made: dict[str, Tensor] = {}
        for layer in range(layers):
            place = f"blocks.{layer}.attention.front"
            made[f"{place}.keys"], made[f"{place}.values"] = halves[2 * layer], halves[2 * layer + 1]
        return cls(tokens=count), made
