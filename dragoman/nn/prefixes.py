"""What was read of earlier prompts: one that begins as they did goes on from there."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dragoman.nn.cache import Cache

__all__ = ["Prefixes"]


class Prefixes:
    """Keys and values of whole chunks of prompts, found by all that stands before them, the oldest forgotten first.

    A chunk's numbers are those that reading it gave, so an answer is the same whether its prompt was found or read.
    """

    def __init__(self, chunk: int, most_tokens: int) -> None:
        """`chunk` tokens stand in a piece; no more than `most_tokens` are kept."""
        self.chunk = chunk
        self._most = most_tokens // chunk
        self._held: OrderedDict[bytes, Float[Tensor, "l 2 g c d"]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held) * self.chunk

    def names(self, ids: Sequence[int], kind: str = "") -> list[bytes]:
        """What the whole chunks of a prompt are found by; `kind` is what else the numbers depend on, as an adapter."""
        name = hashlib.sha256(kind.encode()).digest()
        found = []
        whole = np.asarray(ids, dtype=np.int64)
        for start in range(0, len(ids) - self.chunk + 1, self.chunk):
            name = hashlib.sha256(name + whole[start : start + self.chunk].tobytes()).digest()
            found.append(name)
        return found

    def fill(self, cache: Cache, names: Sequence[bytes]) -> int:
        """Write the chunks that are known, from the first on, into the first row of an empty cache; how many tokens."""
        known = 0
        for name in names:
            if name not in self._held:
                break
            self._held.move_to_end(name)
            start, end = known * self.chunk, (known + 1) * self.chunk
            for layer, (keys, values) in zip(cache.layers, self._held[name], strict=True):
                layer.keys[0, :, start:end] = keys
                layer.values[0, :, start:end] = values
            known += 1
        for layer in cache.layers:
            layer.length = known * self.chunk
        cache.length = known * self.chunk
        return cache.length

    def keep(self, cache: Cache, name: bytes, start: int) -> None:
        """Remember the chunk that begins at `start` in the first row of a cache."""
        if name in self._held or self._most < 1:
            return
        end = start + self.chunk
        self._held[name] = torch.stack(
            [torch.stack((layer.keys[0, :, start:end], layer.values[0, :, start:end])) for layer in cache.layers]
        )
        while len(self._held) > self._most:
            self._held.popitem(last=False)

    def forget(self) -> None:
        """Keep nothing."""
        self._held.clear()
