"""Putting learnt places in front of the texts of a net, filled with vectors or with keys and values of real words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dragoman.core.errors import UserError
from dragoman.nn.attention import Attention
from dragoman.nn.cache import Cache
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.encoder import Encoder
from dragoman.nn.prompted import Front, LearntPairs, shortened

__all__ = [
    "choose_words",
    "ids_of",
    "learnt_pairs",
    "prompt_of_peft",
    "prompted_stack",
    "put_prefix",
    "put_prompt",
    "require_writer",
]

Pair = tuple[Float[Tensor, "k g d"], Float[Tensor, "k g d"]]


def choose_words(net: Decoder | EncoderDecoder, count: int, given: Sequence[int], seed: int) -> Int[Tensor, k]:
    """`count` token ids to begin from: the given ones over and over, or as many drawn from the vocabulary.

    Raises UserError where one is not in the vocabulary.
    """
    size = net.arch.vocabulary
    wrong = [number for number in given if not 0 <= number < size]
    if wrong:
        raise UserError(f"there is no token {wrong[0]} in a vocabulary of {size}", "give ids of it in tuning.begin")
    if given:
        return torch.tensor([given[place % len(given)] for place in range(count)])
    return torch.randint(size, (count,), generator=torch.Generator().manual_seed(seed))


def ids_of(text: str, tokenizer: Any) -> tuple[int, ...]:
    """The token ids of words to begin from. Raises UserError where there are none."""
    ids = tuple(int(number) for number in tokenizer.plain([text])[0])
    if not ids or not text.strip():
        raise UserError(f"the text {text!r} has no words to begin from", "give some, or leave tuning.text out")
    return ids


def prompted_stack(net: Decoder | EncoderDecoder) -> Encoder | Decoder:
    """The stack that reads the text, in front of which a soft prompt stands."""
    return net.encoder if isinstance(net, EncoderDecoder) else net


def put_prompt(net: Decoder | EncoderDecoder, ids: Int[Tensor, k]) -> None:
    """Let vectors, those of the words `ids` at first, be read in front of every text; nothing else learns."""
    stack = prompted_stack(net)
    _shorten(net, len(ids))
    net.requires_grad_(False)
    table = stack.embeddings.words.weight
    with torch.no_grad():
        vectors = table[ids.to(table.device)] * stack.embeddings.scale  # [k, w]
    stack.front = Front(vectors.clone(), read=True)


def put_prefix(net: Decoder | EncoderDecoder, ids: Int[Tensor, k]) -> None:
    """Let every layer have keys and values in front of every text, those that it makes of the words `ids` at first."""
    was = net.training
    net.eval()
    made = _pairs_of_words(net, ids.to(net.head.weight.device))
    net.train(was)
    _shorten(net, len(ids))
    net.requires_grad_(False)
    for stack in (net.encoder, net.decoder) if isinstance(net, EncoderDecoder) else (net,):
        stack.front = Front(torch.zeros(len(ids), net.arch.width, device=ids.device).to(net.head.weight), read=False)
    for attention, (keys, values) in made:
        attention.front = LearntPairs(keys, values)


def learnt_pairs(net: nn.Module) -> dict[str, LearntPairs]:
    """The learnt keys and values of every layer by name, in the order of the layers, the encoder's first."""
    return {name: module for name, module in net.named_modules() if isinstance(module, LearntPairs)}


@torch.no_grad()
def _pairs_of_words(net: Decoder | EncoderDecoder, ids: Int[Tensor, k]) -> list[tuple[Attention, Pair]]:
    """What each layer's attention keeps of words: to begin with a prefix is a text that was read already."""
    row, made, source = ids[None], [], None  # [1, k]
    if isinstance(net, EncoderDecoder):
        source, of_encoder = _read_by_encoder(net, row)  # [1, k, w]
        made += of_encoder
    decoder = net.decoder if isinstance(net, EncoderDecoder) else net
    weight = decoder.head.weight
    cache = Cache(decoder.arch, 1, len(ids), weight.dtype, weight.device)
    decoder.states(row, cache=cache, source=source)
    for block, layer in zip(decoder.blocks, cache.layers, strict=True):
        keys, values = (each[0].transpose(0, 1).contiguous() for each in layer.content())  # [k, g, d] twice
        made.append((_attention(block), (keys, values)))
    return made


def _read_by_encoder(
    net: EncoderDecoder, row: Int[Tensor, "1 k"]
) -> tuple[Float[Tensor, "1 k w"], list[tuple[Attention, Pair]]]:
    """The states of words, and the keys and values of every layer, seen as they leave their matrices."""
    seen: dict[nn.Module, Tensor] = {}
    every = [_attention(block) for block in net.encoder.blocks]
    hooks = []
    for half in [matrix for attention in every for matrix in (attention.key, attention.value)]:
        hooks.append(half.register_forward_hook(lambda module, _, out: seen.__setitem__(module, out)))
    try:
        source = net.encode(row)  # [1, k, w]
    finally:
        for hook in hooks:
            hook.remove()
    made = []
    for attention in every:
        shape = (row.shape[1], attention.groups, attention.size)
        made.append((attention, (seen[attention.key].view(shape).clone(), seen[attention.value].view(shape).clone())))
    return source, made


def _attention(block: nn.Module) -> Attention:
    found = block.attention
    assert isinstance(found, Attention)
    return found


def _shorten(net: Decoder | EncoderDecoder, count: int) -> None:
    """Leave the learnt places out of the positions that a text may take. Raises UserError where none are left."""
    short = shortened(net.arch, count)
    stacks = (net.encoder, net.decoder) if isinstance(net, EncoderDecoder) else ()
    for each in (net, *stacks):
        each.arch = short


def require_writer(net: nn.Module, tuning: str) -> None:
    """Raise UserError where a net writes nothing: a classifier's head reads the first token, which must stay first."""
    if not isinstance(net, Decoder | EncoderDecoder):
        raise UserError(f"{tuning} is for models that write, and this one does not", "choose another: tuning.name=lora")


def prompt_of_peft(config: Mapping[str, Any], tensors: Mapping[str, Tensor], kind: str) -> Float[Tensor, "k n"]:
    """The one tensor of an adapter that PEFT calls prompt learning. Raises UserError where it is something else."""
    again = f"train it again with: dragoman train tuning={'prefix' if kind == 'PREFIX_TUNING' else 'soft_prompt'}"
    if config.get("peft_type") != kind:
        raise UserError(f"the adapter is {config.get('peft_type')}, not {kind}", again)
    if config.get("prefix_projection"):
        raise UserError("the prefix comes out of another net (prefix_projection), which is not built here", again)
    found = tensors.get("prompt_embeddings")
    count = config.get("num_virtual_tokens")
    if found is None or len(tensors) != 1 or found.dim() != 2 or isinstance(count, bool) or not isinstance(count, int):
        raise UserError("the adapter does not hold prompt_embeddings and num_virtual_tokens, and nothing else", again)
    return found
