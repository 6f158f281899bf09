"""What a frozen encoder says about each text, computed once instead of once an epoch."""

import contextlib
import copy
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dragoman.nn.encoder import Encoder
from dragoman.nn.padding import by_length, pad
from dragoman.train.batching import to_device
from dragoman.train.doors import Encoded, Kit

__all__ = ["first_states", "remembering"]


@torch.no_grad()
def first_states(encoder: Encoder, encoded: Encoded, kit: Kit) -> Float[Tensor, "n w"]:
    """The state of the first token of each text, in float32, without dropout, in batches of like length."""
    light = copy.deepcopy(encoder).bfloat16() if kit.precision == "bf16" else encoder
    light.eval()
    states = torch.empty(len(encoded.ids), encoder.arch.width, device=kit.device)
    for rows in by_length([len(ids) for ids in encoded.ids], rows=32):
        ids, mask = pad([encoded.ids[row] for row in rows], kit.tokenizer.pad_id)
        shown = None if mask is None else to_device(mask, kit.device)
        states[torch.tensor(rows, device=kit.device)] = light.first(to_device(ids, kit.device), shown).float()
    return states


@contextlib.contextmanager
def remembering(encoder: Encoder) -> Iterator[None]:
    """While the block runs, the encoder remembers its answer to each batch of texts and gives it again.

    Only for an encoder that does not learn, and only where no gradient is kept: a validation part that is measured many
    times is read once. It holds one state a text, 1.5 KB for MiniLM.
    """
    known: dict[bytes, Tensor] = {}
    compute = encoder.first

    def first(
        ids: Int[Tensor, "b s"], mask: Bool[Tensor, "b s"] | None = None, types: Int[Tensor, "b s"] | None = None
    ) -> Float[Tensor, "b w"]:
        if torch.is_grad_enabled() or encoder.training or types is not None:
            return compute(ids, mask, types)
        shown = b"" if mask is None else mask.cpu().numpy().tobytes()
        key = b"%d %d " % tuple(ids.shape) + ids.cpu().numpy().tobytes() + shown
        if key not in known:
            known[key] = compute(ids, mask)
        return known[key]

    encoder.first = first  # type: ignore[method-assign]
    try:
        yield
    finally:
        del encoder.first
