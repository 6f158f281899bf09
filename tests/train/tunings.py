"""Every kind of net, tiny and with weights that are felt, and what each says of a few tokens."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.encoder import fresh_encoder
from dragoman.nn.heads import Extractor, Tagger, TokenHead
from dragoman.nn.masked import MaskedLM
from tests.nn.tiny import amplify
from tests.nn.tiny_lm import writer
from tests.train.small import ARCH, net

__all__ = ["IDS", "NETS", "close", "made", "said", "stirred"]

IDS = torch.tensor([[1, 5, 9, 30, 2], [1, 60, 61, 7, 2]])
_MADE: dict[str, Callable[[], nn.Module]] = {
    "classifier": net,
    "tagger": lambda: Tagger(fresh_encoder(ARCH), TokenHead(ARCH, 4), ("O", "B-x", "I-x", "B-y")),
    "extractor": lambda: Extractor(fresh_encoder(ARCH), TokenHead(ARCH, 2)),
    "masked": lambda: MaskedLM(ARCH),
    **{name: lambda name=name: writer(name) for name in ("llama", "gpt2", "t5", "bart")},  # type: ignore[misc]
}
NETS = tuple(_MADE)


def made(name: str) -> nn.Module:
    """A net of that kind, the same each time, in eval; all its weights would learn."""
    return amplify(_MADE[name](), 3).eval().requires_grad_(True)


@torch.no_grad()
def said(model: nn.Module) -> Tensor:
    """What a net answers to IDS."""
    model.eval()
    if isinstance(model, EncoderDecoder):
        return model(IDS, None, IDS[:, :3])  # type: ignore[no-any-return]
    return model(IDS) if isinstance(model, Decoder) else model(IDS, None)  # type: ignore[no-any-return]


def stirred(model: nn.Module, seed: int = 1) -> None:
    """What learns moved far from where it began; lengths and gains stay above zero."""
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.requires_grad:
                last, near = name.rpartition(".")[2], torch.empty_like(weight).normal_(0, 0.1, generator=dice)
                weight.copy_(weight * near.exp() if last in ("gain", "magnitude") else weight + near)


def close(found: Tensor, expected: Tensor, share: float = 1e-5) -> bool:
    """Whether no number is off by more than a share of the largest."""
    return bool((found - expected).abs().max() <= share * expected.abs().max())
