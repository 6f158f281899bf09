"""Small language models of every kind of shape, with weights that let every part be felt."""

from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from dragoman.nn.arch import Arch
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.store import build_lm, family_of
from tests.nn.tiny import amplify
from tests.published import CASES, MASKED, TWO_STACKS

__all__ = ["DECODERS", "MASKED", "READERS", "close", "decoder", "parameters", "shape", "some", "two_stacks"]

_PLAIN = Arch(
    "gpt2",
    99,
    64,
    3,
    4,
    128,
    96,
    kind="decoder",
    norm_place="before",
    norm_eps=1e-5,
    final_norm=True,
    token_types=0,
    embedding_norm=False,
)
_BY_HAND = {  # no published family here has these
    "alibi": replace(_PLAIN, position="alibi", kv_heads=2),
    "sinusoidal": replace(_PLAIN, position="sinusoidal", embedding_scale=8.0),
    "one answering head": replace(_PLAIN, kv_heads=1),
    "no positions": replace(_PLAIN, position="none", kv_heads=2),
}
DECODERS = (*(name for name in CASES if name not in MASKED + TWO_STACKS), *_BY_HAND)
READERS = TWO_STACKS


def shape(name: str) -> Arch:
    """The shape of a case of tests/published.py, or of one made by hand."""
    return _BY_HAND[name] if name in _BY_HAND else family_of(name.split()[0]).read(CASES[name][1])


@cache
def decoder(name: str) -> Decoder:
    """A decoder with amplified weights, in eval; the same one each time: leave it as it is."""
    net = amplify(build_lm(shape(name))).eval()
    assert isinstance(net, Decoder)
    return net


@cache
def two_stacks(name: str) -> EncoderDecoder:
    """The same for two stacks."""
    net = amplify(build_lm(shape(name))).eval()
    assert isinstance(net, EncoderDecoder)
    return net


def parameters(arch: Arch) -> int:
    """How many numbers a model of this shape learns; shared ones count once. No memory is taken."""
    with torch.device("meta"):
        return sum(each.numel() for each in build_lm(arch).parameters())


def some(rows: int, tokens: int, seed: int = 0) -> Tensor:
    """Random tokens that are no padding."""
    return torch.randint(3, 99, (rows, tokens), generator=torch.Generator().manual_seed(seed))


def close(found: Tensor, expected: Tensor, share: float = 1e-5) -> bool:
    """Whether no logit is off by more than a share of the largest."""
    return bool((found - expected).abs().max() <= share * expected.abs().max())
