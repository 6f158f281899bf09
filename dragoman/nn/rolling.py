"""Reading and writing for requests that come and go: prompts in chunks, then one token a row and step, on ids alone.

A prompt is read in chunks that begin at fixed places, and rows are written side by side without padding. So what a row
computes does not depend on what else is under way: on one CPU thread it is the same to the last bit (measured in fp32,
bf16 and int8 for 1 to 16 rows), on several within 7e-6 of the logits, where matrices are cut by the number of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dragoman.nn.arch import Arch
from dragoman.nn.cache import Cache
from dragoman.nn.decoder import Decoder
from dragoman.nn.prefixes import Prefixes
from dragoman.nn.slots import Slots

__all__ = ["Prompt", "Rolling"]


@dataclass(eq=False)
class Prompt:
    """A prompt that is being read."""

    ids: Sequence[int]
    cache: Cache
    names: Sequence[bytes]
    reused: int = 0
    "tokens that an earlier prompt had read"
    read: int = field(default=0)
    "tokens that are in the cache"


class Rolling:
    """The caches of all that is under way. Rows are numbered from 0; where one leaves, the last one takes its number.

    Which net reads is said each time, since adapters over one net share its shapes.
    """

    def __init__(
        self, arch: Arch, dtype: torch.dtype, device: torch.device, chunk: int, kept: int, most: int = 0
    ) -> None:
        """`chunk` is how many tokens of a prompt are read at a time, `kept` how many of earlier prompts stay, `most` as
        for `Slots`."""
        self.chunk = chunk
        self.slots = Slots(arch, dtype, device, most)
        self.prefixes = Prefixes(chunk, kept)
        self._arch, self._dtype, self._device = arch, dtype, device

    def open(self, ids: Sequence[int], kind: str = "") -> Prompt:
        """Begin to read a prompt, behind what is known of it. Its last token is always read."""
        space = -(-len(ids) // self.chunk) * self.chunk
        cache = Cache(self._arch, 1, space, self._dtype, self._device)
        names = self.prefixes.names(ids, kind)
        reused = self.prefixes.fill(cache, names[: (len(ids) - 1) // self.chunk])
        return Prompt(ids, cache, names, reused, reused)

    @torch.inference_mode()
    def read(self, net: Decoder, prompt: Prompt) -> Float[Tensor, "1 v"] | None:
        """Read the next chunk; the logits of the first token of the answer behind the last one."""
        start, end = prompt.read, min(prompt.read + self.chunk, len(prompt.ids))
        ids = torch.tensor([prompt.ids[start:end]], device=self._device)  # [1, s]
        states = net.states(ids, cache=prompt.cache)  # [1, s, w]
        prompt.read = end
        if end - start == self.chunk:
            self.prefixes.keep(prompt.cache, prompt.names[start // self.chunk], start)
        if end < len(prompt.ids):
            return None
        logits: Tensor = net.predict(states[:, -1])  # [1, v]
        return logits

    def join(self, prompt: Prompt, more: int) -> int:
        """One more row behind a prompt that was read, with room for `more` tokens; its number."""
        self.slots.join(prompt.cache, more)
        return len(self.slots.lengths) - 1

    def leave(self, row: int) -> None:
        """The row is over, and the last row has its number."""
        self.slots.leave(row)

    def keep(self, rows: int) -> None:
        """The rows behind the first `rows` are over."""
        self.slots.keep(rows)

    @torch.inference_mode()
    def write(self, net: Decoder, ids: Int[Tensor, " b"]) -> Float[Tensor, "b v"]:
        """Read the last token of each row; the logits of the next."""
        logits: Tensor = net(ids[:, None], cache=self.slots)  # [b, 1, v]
        return logits[:, 0]
