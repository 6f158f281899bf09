"""A few vectors in front of every text learn, and nothing else: the smallest adaptation there is."""

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

__all__ = ["SoftPrompt"]


@dataclass(frozen=True)
class SoftPrompt:
    """Prompt tuning (Lester et al. 2021, 2104.08691): `tokens` input vectors in front of every text learn.

    tokens x width numbers, which begin as words of the vocabulary (section 3.2). In an encoder-decoder they stand in
    front of what the encoder reads, and the decoder sees them. They cannot be merged: the model is its base and them.
    """

    rate: ClassVar[float] = 3e-2
    epochs: ClassVar[float] = 10.0
    merges: ClassVar[bool] = False

    tokens: int = 20
    "How many vectors; each takes the place of a token of the text."
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
        """Put the vectors in front. Raises UserError where the model writes nothing or has no positions left."""
        from dragoman.train.prompts import choose_words, put_prompt, require_writer

        require_writer(net, "soft_prompt")
        put_prompt(net, choose_words(net, self.tokens, self.begin, seed))
        return net

    def paces(self, net: Decoder | EncoderDecoder) -> Mapping[str, Pace]:
        """One pace for all."""
        from dragoman.train.paces import by_depth

        return by_depth(net)

    def merge(self, net: Decoder | EncoderDecoder) -> Decoder | EncoderDecoder:
        """The net as it is: no weight of it can say what the vectors say."""
        return net

    def to_peft(
        self, net: Decoder | EncoderDecoder, names: Mapping[str, str]
    ) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """PEFT's PROMPT_TUNING: one tensor, `prompt_embeddings` [tokens, width]."""
        from dragoman.train.prompts import prompted_stack

        front = prompted_stack(net).front
        assert front is not None
        config = {
            "peft_type": "PROMPT_TUNING",
            "num_virtual_tokens": self.tokens,
            "token_dim": net.arch.width,
            "num_attention_heads": net.arch.heads,
            "num_layers": net.arch.layers,
            "num_transformer_submodules": 1,
            "prompt_tuning_init": "RANDOM",
            "inference_mode": True,
        }
        return config, {"prompt_embeddings": front.vectors.detach()}

    @classmethod
    def from_peft(
        cls,
        config: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        net: Decoder | EncoderDecoder,
        names: Mapping[str, str],
    ) -> tuple[Self, dict[str, Tensor]]:
        """The tuning and its vectors. Raises UserError where they are not this model's.

        Of two sets of vectors, which PEFT makes for an encoder-decoder, it reads the first alone, and so do we.
        """
        from dragoman.nn.encdec import EncoderDecoder
        from dragoman.train.prompts import prompt_of_peft, require_writer

        require_writer(net, "soft_prompt")
        found = prompt_of_peft(config, tensors, "PROMPT_TUNING")
        count = int(config["num_virtual_tokens"])
        sets = int(config.get("num_transformer_submodules") or 1)
        if tuple(found.shape) != (count * sets, net.arch.width) or (sets != 1 and not isinstance(net, EncoderDecoder)):
            raise UserError(
                f"the soft prompt is {tuple(found.shape)}, and this model reads vectors of {net.arch.width} numbers",
                "train it again with: dragoman train tuning=soft_prompt",
            )
        place = "encoder.front.vectors" if isinstance(net, EncoderDecoder) else "front.vectors"
        return cls(tokens=count), {place: found[:count]}
