"""The cache of rows that come and go: each stands at its own place, so that a new one joins between two tokens."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dragoman.nn.arch import Arch
from dragoman.nn.cache import Cache

__all__ = ["LayerSlots", "Slots"]

_STEP = 64  # keys are read in so many at a time: a row's numbers do not depend on how long the others are
_FIRST = 256  # tokens a row has room for at first; it doubles


class LayerSlots:
    """Keys and values of one layer, [rows, g, capacity, d] each, of which the first rows are in use."""

    def __init__(self) -> None:
        self.keys = torch.empty(0)  # [r, g, c, d]
        self.values = torch.empty(0)  # [r, g, c, d]
        self.fixed = False
        self.places = torch.empty(0)  # [b]
        self.rows = torch.empty(0)  # [b]
        self.seen = 0

    @property
    def filled(self) -> bool:
        """Whether anything was written."""
        return self.seen > 0

    def extend(
        self, keys: Float[Tensor, "b g 1 d"], values: Float[Tensor, "b g 1 d"]
    ) -> tuple[Float[Tensor, "b g k d"], Float[Tensor, "b g k d"]]:
        """Write the keys and values of each row's next token, and give back all that any row may see."""
        self.keys[self.rows, :, self.places] = keys[:, :, 0].to(self.keys.dtype)
        self.values[self.rows, :, self.places] = values[:, :, 0].to(self.values.dtype)
        return self.content()

    def content(self) -> tuple[Float[Tensor, "b g k d"], Float[Tensor, "b g k d"]]:
        """The keys and values of the rows in use; behind a row's own end lies what a mask has to hide."""
        return self.keys[: len(self.rows), :, : self.seen], self.values[: len(self.rows), :, : self.seen]


class Slots:
    """The caches of all layers for rows of any length, and the place at which each row stands.

    Rows in use are the first ones; where one leaves, the last one moves into its place, so that nothing is copied
    between two tokens. Memory grows by doubling, in rows and in tokens a row, and is given back behind the last row.
    """

    def __init__(self, arch: Arch, dtype: torch.dtype, device: torch.device, most: int = 0) -> None:
        """`most` rows times tokens are laid out ahead of need; 0 does not bound it."""
        self._most = most
        self._arch, self._dtype, self._device = arch, dtype, device
        self.layers = [LayerSlots() for _ in range(arch.decoder_layers or arch.layers)]
        self.sources: list[LayerSlots] = []
        self.slot = None
        self.lengths: list[int] = []
        "how many tokens of each row are held"
        self._ends: list[int] = []
        "how many tokens of each row there must be room for"
        self._space = (0, 0)
        self._places = torch.empty(0, dtype=torch.long)  # [b]
        self._settled = False

    @property
    def length(self) -> int:
        """The tokens of the longest row."""
        return max(self.lengths, default=0)

    @property
    def space(self) -> tuple[int, int]:
        """The rows, and the tokens of each, that there is memory for."""
        return self._space

    def join(self, cache: Cache, more: int) -> None:
        """One more row that goes on behind what `cache` holds in its one row, with room for `more` tokens."""
        held = cache.length
        self._make_room(len(self.lengths) + 1, held + more)
        row = len(self.lengths)
        for layer, other in zip(self.layers, cache.layers, strict=True):
            layer.keys[row, :, :held] = other.keys[0, :, :held]
            layer.values[row, :, :held] = other.values[0, :, :held]
        self.lengths.append(held)
        self._ends.append(held + more)
        self._settled = False

    def leave(self, row: int) -> None:
        """The row is over; the last row stands in its place from now on."""
        last = len(self.lengths) - 1
        held = self.lengths[last]
        if row != last:
            for layer in self.layers:
                layer.keys[row, :, :held] = layer.keys[last, :, :held]
                layer.values[row, :, :held] = layer.values[last, :, :held]
            self.lengths[row], self._ends[row] = held, self._ends[last]
        self.keep(last)

    def keep(self, rows: int) -> None:
        """The rows behind the first `rows` are over; the memory goes with the last one."""
        del self.lengths[rows:], self._ends[rows:]
        self._settled = False
        if not self.lengths:
            for layer in self.layers:
                layer.keys, layer.values = torch.empty(0), torch.empty(0)
            self._space = (0, 0)

    def enter(self, tokens: int, mask: object = None) -> tuple[Int[Tensor, "b 1"], None]:
        """The positions of the next token of each row. One token a row, and no mask: rows begin at their first."""
        if tokens != 1 or mask is not None:
            raise ValueError("rows that come and go are read one token at a time, without padding")
        self._settle()
        seen = self.length + 1
        seen = min(-(-seen // _STEP) * _STEP, self._space[1])
        for layer in self.layers:
            layer.places, layer.seen = self._places, seen
        return self._places[:, None], None

    def advance(self, tokens: int) -> None:
        """Every row holds so many tokens more."""
        self.lengths = [length + tokens for length in self.lengths]
        self._places = self._places + tokens  # [b]

    @property
    def seen(self) -> int:
        """How many places of each row are given back at this step."""
        return self.layers[0].seen

    def _settle(self) -> None:
        """Tell the layers which rows there are: at the next step, so that rows come and go without a tensor made."""
        if self._settled:
            return
        self._places = torch.tensor(self.lengths, dtype=torch.long, device=self._device)  # [b]
        rows = torch.arange(len(self.lengths), device=self._device)  # [b]
        for layer in self.layers:
            layer.rows = rows
        self._settled = True

    def _make_room(self, rows: int, tokens: int) -> None:
        """Lay out more memory where there is too little, with all that is held copied into it."""
        had_rows, had_tokens = self._space
        if rows <= had_rows and tokens <= had_tokens:
            return
        needed = -(-max(tokens, *self._ends, 1) // _STEP) * _STEP
        new_tokens = had_tokens if tokens <= had_tokens else max(needed, 2 * had_tokens, _FIRST)
        new_rows = max(rows, 2 * had_rows) if rows > had_rows else max(rows, min(had_rows, 2 * rows))
        if self._most and new_rows * new_tokens > self._most:  # room ahead of need is what there is memory for
            new_rows = max(rows, min(new_rows, self._most // needed))
            new_tokens = max(needed, min(new_tokens, self._most // new_rows // _STEP * _STEP))
        shape = (new_rows, self._arch.groups, new_tokens, self._arch.head_size)
        used, length = len(self.lengths), self.length
        for layer in self.layers:
            # Zeros, and not what happens to lie there: a mask hides it, but 0 times what is no number is none either.
            keys = torch.zeros(shape, dtype=self._dtype, device=self._device)
            values = torch.zeros(shape, dtype=self._dtype, device=self._device)
            if used:
                keys[:used, :, :length] = layer.keys[:used, :, :length]
                values[:used, :, :length] = layer.values[:used, :, :length]
            layer.keys, layer.values = keys, values
        self._space = (new_rows, new_tokens)
