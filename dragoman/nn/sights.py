"""What each layer may see: padding, the future and what lies beyond the window are hidden, distances get their bias."""

from dataclasses import replace

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from dragoman.nn.arch import Arch
from dragoman.nn.attention import Documents, Sight
from dragoman.nn.cache import Cache
from dragoman.nn.positions import RelativeBias, Rotary, alibi_slopes, bucket_of
from dragoman.nn.segments import list_lengths, share_segment
from dragoman.nn.slots import Slots

__all__ = ["Sights"]


class Sights(nn.Module):
    """Makes the Sight of every layer of a stack; layers with the same reach share one.

    A stack that writes (`causal`) sees what is before; one that reads sees all of the text.
    """

    def __init__(self, arch: Arch, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        layers = arch.decoder_layers if causal and arch.kind == "encoder-decoder" else arch.layers
        self.reaches = tuple(arch.reach(layer) for layer in range(layers))
        self.relative = RelativeBias(arch, both_ways=not causal) if arch.position == "relative" else None
        self.slopes = alibi_slopes(arch.heads) if arch.position == "alibi" else None
        self.rotary = Rotary(arch.rope, arch.head_size) if arch.position == "rotary" else None
        near = arch.window_rope
        self.near_rotary = Rotary(near, arch.head_size) if self.rotary is not None and near is not None else self.rotary

    def forward(
        self,
        places: Int[Tensor, "_ s"],
        mask: Bool[Tensor, "b k"] | None,
        dtype: torch.dtype,
        cache: Cache | Slots | None = None,
        segments: Int[Tensor, "b s"] | None = None,
    ) -> list[Sight]:
        """One Sight a layer, for queries that stand at `places` after what the cache holds.

        `mask` is True on every key that is text, the cached ones included; None: there is no padding. `segments` say
        which document a token belongs to, where a row holds several: it sees no other.
        """
        if isinstance(cache, Slots):
            kinds = dict.fromkeys(self.reaches)
            rows = {reach: self._of_rows(reach, places, dtype, cache.seen) for reach in kinds}
            return [rows[reach] for reach in self.reaches]
        shown = mask if mask is None else mask[:, None, None, :]  # [b, 1, 1, k]
        if segments is not None:
            shown = share_segment(segments, segments)  # [b, 1, s, s]
        made: dict[int, Sight] = {}
        for reach in dict.fromkeys(self.reaches):
            made[reach] = self._sight(reach, places, shown, dtype, cache)
        if segments is not None and (documents := list_lengths(segments)):
            made = {reach: self._apart(sight, reach, documents) for reach, sight in made.items()}
        return [made[reach] for reach in self.reaches]

    def _sight(self, reach: int, places: Tensor, mask: Tensor | None, dtype: torch.dtype, cache: Cache | None) -> Sight:
        rotary = self.near_rotary if reach else self.rotary
        angles = rotary(places, dtype) if rotary is not None else None
        asked = places.shape[1]
        past = cache.length if cache is not None else 0
        whole = cache is not None and cache.slot is not None
        near = reach and past + asked > reach
        plain = self.relative is None and self.slopes is None and mask is None and not near and not whole
        if plain and (not self.causal or asked == 1 or past == 0):  # the kernels know these without a mask
            return Sight(causal=self.causal and past == 0, angles=angles)
        slots, keys = self._slots(places, cache, past, asked)  # [q], [k]
        seen = self._seen(slots, keys, reach, mask)  # [b or 1, 1, q or 1, k]
        if self.relative is None and self.slopes is None:
            return Sight(mask=seen, angles=angles)
        if self.relative is not None:
            bias = self.relative(slots, keys).to(dtype)  # [1, h, q, k]
        else:
            assert self.slopes is not None
            back = (keys[None, :] - slots[:, None]).to(dtype)  # [q, k]
            if self.slopes.device != back.device:  # once: a CUDA graph may not wait for the CPU at every step
                self.slopes = self.slopes.to(back.device)  # [h]
            bias = self.slopes.to(dtype)[None, :, None, None] * -back.abs()  # [1, h, q, k]
        return Sight(bias=bias if seen is None else bias.masked_fill(~seen, -torch.inf))

    def _of_rows(self, reach: int, places: Int[Tensor, "b 1"], dtype: torch.dtype, seen: int) -> Sight:
        """The Sight of rows that stand at different places, one query each: its place is its number in its row."""
        rotary = self.near_rotary if reach else self.rotary
        angles = rotary(places, dtype) if rotary is not None else None
        keys = torch.arange(seen, device=places.device)  # [k]
        back = places - keys[None, :]  # [b, k]
        mask = back >= 0  # [b, k]
        if reach:
            mask = mask & (back < reach)  # [b, k]
        mask = mask[:, None, None, :]  # [b, 1, 1, k]
        if self.relative is not None:
            bias = self.relative.table(bucket_of(-back, False, self.relative.buckets, self.relative.reach))  # [b, k, h]
            bias = bias.to(dtype).permute(0, 2, 1)[:, :, None]  # [b, h, 1, k]
        elif self.slopes is not None:
            slopes = self.slopes.to(back.device, dtype)  # [h]
            bias = slopes[None, :, None, None] * -back.abs().to(dtype)[:, None, None, :]  # [b, h, 1, k]
        else:
            return Sight(mask=mask, angles=angles)
        return Sight(bias=bias.masked_fill(~mask, -torch.inf))

    def _apart(self, sight: Sight, reach: int, documents: tuple[int, ...]) -> Sight:
        """The same Sight told what the documents are, where each sees all of itself, or all before."""
        if sight.bias is not None or (self.causal and 0 < reach < max(documents)):
            return sight
        return replace(sight, causal=self.causal, documents=Documents(documents))

    def _slots(self, places: Tensor, cache: Cache | None, past: int, asked: int) -> tuple[Tensor, Tensor]:
        """Where queries and keys stand in the row of slots, padding counted."""
        if cache is not None and cache.slot is not None:
            return cache.slot, torch.arange(cache.capacity, device=places.device)  # [q], [c]
        keys = torch.arange(past + asked, device=places.device)  # [k]
        return keys[past:], keys

    def _seen(
        self, slots: Int[Tensor, "q"], keys: Int[Tensor, "k"], reach: int, mask: Bool[Tensor, "b 1 _ k"] | None
    ) -> Bool[Tensor, "_ 1 _ k"] | None:
        if not self.causal:
            return mask
        seen = keys[None, :] <= slots[:, None]  # [q, k]
        if reach:
            seen = seen & (keys[None, :] > slots[:, None] - reach)  # [q, k]
        if mask is None:
            return seen[None, None]
        # Padding on the left sees no text at all: it sees itself, since softmax over nothing is not a number.
        itself = keys[None, :] == slots[:, None]  # [q, k]
        return seen & mask | itself  # [b, 1, q, k]
