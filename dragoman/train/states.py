"""What a frozen encoder says about each text, computed once instead of once an epoch."""

import copy

import torch
from jaxtyping import Float
from torch import Tensor

from dragoman.nn.encoder import Encoder
from dragoman.nn.padding import by_length, pad
from dragoman.train.batching import to_device
from dragoman.train.doors import Encoded, Kit

__all__ = ["first_states"]


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
