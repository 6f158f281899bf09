"""What was read already: keys and values of earlier tokens, so that a new token costs one step and not a text."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dragoman.nn.arch import Arch

__all__ = ["Cache", "LayerCache"]


class LayerCache:
    """Keys and values of one layer, allocated once for the longest text they will hold: [b, g, capacity, d] each.

    A `fixed` one holds another text (cross-attention): it is filled once and only read afterwards. A `whole` one gives
    all its places back, filled or not, for a mask to choose: shapes that never change are what a CUDA graph needs.
    """

    def __init__(self, shape: tuple[int, int, int, int], dtype: torch.dtype, device: torch.device) -> None:
        self.keys = torch.zeros(shape, dtype=dtype, device=device)  # [b, g, c, d]
        self.values = torch.zeros(shape, dtype=dtype, device=device)  # [b, g, c, d]
        self.length = 0
        self.fixed = False
        self.places: Int[Tensor, " s"] | None = None
        "where the next tokens go, for a cache that gives back all its places"

    @property
    def filled(self) -> bool:
        """Whether anything was written."""
        return self.length > 0

    def extend(
        self, keys: Float[Tensor, "b g s d"], values: Float[Tensor, "b g s d"]
    ) -> tuple[Float[Tensor, "b g k d"], Float[Tensor, "b g k d"]]:
        """Write the keys and values of the next tokens, and give back all that is there."""
        if self.places is not None:
            self.keys.index_copy_(2, self.places, keys)
            self.values.index_copy_(2, self.places, values)
            return self.keys, self.values
        end = self.length + keys.shape[2]
        self.keys[:, :, self.length : end] = keys
        self.values[:, :, self.length : end] = values
        self.length = end
        return self.content()

    def content(self) -> tuple[Float[Tensor, "b g k d"], Float[Tensor, "b g k d"]]:
        """The keys and values written so far."""
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def keep(self, rows: Int[Tensor, "kept"]) -> None:
        """Go on with these rows alone, in this order; a row may be taken twice (beam search)."""
        self.keys, self.values = self.keys[rows], self.values[rows]


class Cache:
    """The caches of all layers, the positions their rows stand at, and which places hold a real token.

    Texts of different lengths stand right-aligned: their last tokens share a place, padding is on the left and hidden.
    """

    def __init__(
        self,
        arch: Arch,
        rows: int,
        capacity: int,
        dtype: torch.dtype,
        device: torch.device,
        source: int = 0,
    ) -> None:
        """Room for `capacity` tokens in each row, and for `source` tokens of another text where there is one."""
        layers = arch.decoder_layers or arch.layers
        shape = (rows, arch.groups, capacity, arch.head_size)
        self.layers = [LayerCache(shape, dtype, device) for _ in range(layers)]
        self.sources: list[LayerCache] = []
        if source:
            shape = (rows, arch.groups, source, arch.head_size)
            self.sources = [LayerCache(shape, dtype, device) for _ in range(layers)]
        for layer in self.sources:
            layer.fixed = True
        self.capacity = capacity
        self.length = 0
        self.slot: Int[Tensor, " q"] | None = None
        "where the next tokens go, when all places are given back and a mask chooses (see LayerCache)"
        self.visible: Bool[Tensor, "b c"] | None = None
        "which places hold text, False on the padding of the prompts; None: there is no padding"
        self._hidden: Int[Tensor, "b 1"] | None = None

    @property
    def bytes(self) -> int:
        """What it holds in memory: 2 x layers x kv_heads x head_width x capacity x rows x bytes of a number."""
        held = [*self.layers, *self.sources]
        return sum(2 * layer.keys.numel() * layer.keys.element_size() for layer in held)

    def enter(
        self, tokens: int, mask: Bool[Tensor, "b s"] | None = None
    ) -> tuple[Int[Tensor, "_ s"], Bool[Tensor, "b k"] | None]:
        """The positions of the next tokens of each row, counted from its first real one, and which keys are text.

        The mask of the prompts is given with the first tokens alone. Raises ValueError where a row ends in padding: it
        stands on the left here, so that the next token of every row has the same place.
        """
        device = self.layers[0].keys.device
        if mask is not None and not bool(mask.all()):
            if not bool(mask[:, -1].all()):
                raise ValueError("a prompt that is kept in a cache is padded on the left")
            self._hidden = (~mask).sum(1, keepdim=True)  # [b, 1]
            places = torch.arange(self.capacity, device=device)[None]  # [1, c]
            self.visible = places >= self._hidden  # [b, c]
        ahead = torch.arange(self.length, self.length + tokens, device=device) if self.slot is None else self.slot
        if self.visible is None or self._hidden is None:
            return ahead[None], None  # [1, s]
        seen = self.visible if self.slot is not None else self.visible[:, : self.length + tokens]  # [b, k]
        return (ahead[None] - self._hidden).clamp(min=0), seen  # [b, s], [b, k]

    def advance(self, tokens: int) -> None:
        """So many tokens were read."""
        if self.slot is None:  # who moves the slot by hand counts by hand too
            self.length += tokens

    def open_whole(self) -> Int[Tensor, "1"]:
        """From now on give back all places; the tensor returned says where the next token goes: move it by hand."""
        self.slot = torch.tensor([self.length], device=self.layers[0].keys.device)  # [1]
        for layer in self.layers:
            layer.places = self.slot
        return self.slot

    def keep(self, rows: Int[Tensor, "kept"]) -> None:
        """Go on with these rows alone, in this order."""
        for layer in (*self.layers, *self.sources):
            layer.keep(rows)
        if self.visible is not None and self._hidden is not None:
            self.visible, self._hidden = self.visible[rows], self._hidden[rows]
