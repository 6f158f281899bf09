"""Learnt vectors in front of every text: a soft prompt that is read like words, or a prefix of keys and values.

Both take places in front of each text, packed ones included, and the text stands behind them as behind words: the same
positions, windows and distances. Only what fills the places differs, so both are one way of laying out a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.attention import Sight

__all__ = ["Front", "Layout", "LearntPairs", "lay_out", "shortened"]


@dataclass(frozen=True)
class Layout:
    """A wider row: k places in front of each text, and where everything stands in it."""

    vectors: Float[Tensor, "k w"]
    "what is read at the places in front"
    slots: Int[Tensor, "_ n"]
    "what stands at each place of the wider row: below k a place in front, k + i the token i of the narrow row"
    tokens: Int[Tensor, "_ s"]
    "where each token of the narrow row stands; one row serves all where none is padded or packed"
    mask: Bool[Tensor, "b n"] | None
    segments: Int[Tensor, "b n"] | None

    def widen(self, states: Float[Tensor, "b s w"]) -> Float[Tensor, "b n w"]:
        """The states of the words with the vectors between them."""
        front = self.vectors.to(states.dtype).expand(states.shape[0], -1, -1)  # [b, k, w]
        both = torch.cat((front, states), dim=1)  # [b, k + s, w]
        if self.mask is None and self.segments is None:
            return both
        return both.gather(1, self.slots[:, :, None].expand(-1, -1, both.shape[2]))

    def narrow(self, states: Float[Tensor, "b n w"]) -> Float[Tensor, "b s w"]:
        """The states of the tokens alone."""
        if self.mask is None and self.segments is None:
            return states[:, len(self.vectors) :]
        return states.gather(1, self.tokens[:, :, None].expand(-1, -1, states.shape[2]))


class Front(nn.Module):
    """k places in front of every text. `read`: a soft prompt, whose vectors learn (Lester et al. 2021, 2104.08691).

    Otherwise nothing is read there: the keys and values of each layer are learnt instead (see LearntPairs).
    """

    def __init__(self, vectors: Float[Tensor, "k w"], read: bool) -> None:
        super().__init__()
        self.read = read
        self.vectors: Tensor
        if read:
            self.vectors = nn.Parameter(vectors)
        else:
            self.register_buffer("vectors", torch.zeros_like(vectors), persistent=False)

    @property
    def count(self) -> int:
        """How many places there are."""
        return len(self.vectors)

    def lay(
        self, ids: Int[Tensor, "b s"], mask: Bool[Tensor, "b s"] | None, segments: Int[Tensor, "b s"] | None
    ) -> Layout:
        """How rows of tokens stand behind it."""
        return lay_out(self.vectors, ids, mask, segments)

    def show(self, sights: Sequence[Sight], laid: Layout) -> list[Sight]:
        """The sights, which tell attention where its learnt pairs go if nothing was read there."""
        return list(sights) if self.read else [replace(sight, slots=laid.slots) for sight in sights]


class LearntPairs(nn.Module):
    """The keys and values of one layer at the places in front (prefix tuning, Li and Liang 2021, 2101.00190)."""

    def __init__(self, keys: Float[Tensor, "k g d"], values: Float[Tensor, "k g d"]) -> None:
        super().__init__()
        self.keys = nn.Parameter(keys.contiguous())
        self.values = nn.Parameter(values.contiguous())

    def forward(
        self, key: Float[Tensor, "b n g d"], value: Float[Tensor, "b n g d"], slots: Int[Tensor, "_ n"]
    ) -> tuple[Float[Tensor, "b n g d"], Float[Tensor, "b n g d"]]:
        """Keys and values with the learnt ones in their places. They are not turned: PEFT's are not either."""
        count, heads, size = self.keys.shape
        rows, front = slots.clamp(max=count - 1), (slots < count)[:, :, None, None]  # [_, n], [_, n, 1, 1]
        shape = (*slots.shape, heads, size)
        keys = functional.embedding(rows, self.keys.flatten(1)).view(shape)  # [_, n, g, d]
        values = functional.embedding(rows, self.values.flatten(1)).view(shape)  # [_, n, g, d]
        return torch.where(front, keys, key), torch.where(front, values, value)


def lay_out(
    vectors: Float[Tensor, "k w"],
    ids: Int[Tensor, "b s"],
    mask: Bool[Tensor, "b s"] | None,
    segments: Int[Tensor, "b s"] | None,
) -> Layout:
    """Where k places in front of each text leave its tokens.

    The places stand right in front of the text, behind padding on the left. Every document of a packed row has places
    of its own, which are part of it; rows with fewer documents are filled up at their end with a document of number -1,
    as padding has, which gets none.
    """
    count, length = len(vectors), ids.shape[1]
    if mask is None and segments is None:
        slots = torch.arange(count + length, device=ids.device)[None]  # [1, n]
        return Layout(vectors, slots, slots[:, count:], None, None)
    if segments is not None:
        first = segments >= 0  # [b, s]
        first[:, 1:] &= segments[:, 1:] != segments[:, :-1]
    else:
        assert mask is not None
        first = mask & (mask.cumsum(1) == 1)  # [b, s]
    before = first.cumsum(1)  # [b, s]: the texts that have begun
    tokens = torch.arange(length, device=ids.device) + count * before  # [b, s]
    width = length + count * int(before[:, -1].max())
    held = torch.zeros((len(ids), width), dtype=torch.bool, device=ids.device).scatter_(1, tokens, True)  # [b, n]
    places = torch.arange(width, device=ids.device)  # [n]
    rank = held.cumsum(1)  # [b, n]: the tokens up to here
    last = torch.where(held, places, -1).cummax(1).values  # [b, n]
    slots = torch.where(held, count + rank - 1, (places - last - 1).clamp(max=count - 1))  # [b, n]
    owner = rank - held.long()  # [b, n]: the token itself, or the next one; s behind the last
    wide_mask = None if mask is None else _spread(mask, owner, False)  # [b, n]
    wide_segments = None if segments is None else _spread(segments, owner, -1)  # [b, n]
    return Layout(vectors, slots, tokens, wide_mask, wide_segments)


def shortened(arch: Arch, count: int) -> Arch:
    """The shape as it looks to a text that stands behind `count` places. Raises UserError where none are left."""
    if count >= arch.longest:
        raise UserError(
            f"{count} learnt vectors leave no room for a text: this model has {arch.longest} positions",
            "give fewer: tuning.tokens=20",
        )
    return replace(arch, positions=arch.positions - count)


def _spread(values: Tensor, owner: Int[Tensor, "b n"], filling: int) -> Tensor:
    """What was said of tokens, said of all places of the wider row."""
    return functional.pad(values, (0, 1), value=filling).gather(1, owner)  # [b, n]
