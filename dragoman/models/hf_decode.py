"""Writing with a model that transformers runs: its logits, and our drawing, limits and ends."""

from collections.abc import Sequence

import torch

from dragoman.core.sampling import Sampling
from dragoman.models.hf_net import HfNet, Running
from dragoman.nn.decode import Written, not_finite
from dragoman.nn.sampling import Limit, Sampler

__all__ = ["HfDecoding"]


class HfDecoding:
    """A batch of answers being written, step by step, as `nn.decode.Decoding` does it with a net of ours.

    Row i is answer `offsets[i]` to `prompts[i]`, at most `limits[i]` tokens long. What a row that is over would still
    say is read on with the others, which no cache of transformers can be spared in general, and never drawn.
    """

    def __init__(
        self,
        net: HfNet,
        prompts: Sequence[Sequence[int]],
        how: Sampling,
        *,
        offsets: Sequence[int],
        limits: Sequence[int],
        eos_ids: frozenset[int],
        grammars: Sequence[Limit] | None = None,
    ) -> None:
        self._running = Running(net, prompts)
        width = self._running.logits.shape[1]
        self._eos_ids = frozenset(one for one in eos_ids if one < width)
        self._limits = limits
        self.rows = list(range(len(prompts)))
        "the rows still being written, by number"
        self.finish = ["length"] * len(prompts)
        "why each row ended: stop or length"
        device = self._running.logits.device
        self._sampler = Sampler(how, prompts, width, self._eos_ids, device, offsets, grammars)
        self._last = torch.zeros(len(prompts), dtype=torch.long, device=device)  # [b]
        self._steps = 0
        self._over: set[int] = set()

    @torch.inference_mode()
    def step(self) -> list[Written]:
        """The next token of each row that is being written; [] when all are over."""
        self._settle()
        if not self.rows:
            return []
        if self._steps:
            self._running.push(self._last)
        try:
            drawn = self._sampler.draw(self._running.logits[self.rows])  # [rows]
        except ValueError as error:
            raise not_finite(str(error)) from None
        self._last[self.rows] = drawn
        self._steps += 1
        written = self._written(drawn.tolist())
        for place, one in enumerate(written):
            if one.id in self._eos_ids or (self._sampler.grammars is not None and self._sampler.grammars[place].done):
                self.end(one.row)
            elif self._steps >= self._limits[one.row]:
                self._over.add(one.row)
        return written

    def end(self, row: int) -> None:
        """This row has said enough: it stops before its next token."""
        self._over.add(row)
        self.finish[row] = "stop"

    def _written(self, numbers: Sequence[int]) -> list[Written]:
        if self._sampler.told is None:
            return [Written(row, number) for row, number in zip(self.rows, numbers, strict=True)]
        chosen, tops, chances = (part.tolist() for part in self._sampler.told)
        return [
            Written(row, number, chosen[place], tuple(zip(tops[place], chances[place], strict=True)))
            for place, (row, number) in enumerate(zip(self.rows, numbers, strict=True))
        ]

    def _settle(self) -> None:
        """No longer draw for the rows that are over."""
        kept = [place for place, row in enumerate(self.rows) if row not in self._over]
        if len(kept) == len(self.rows):
            return
        self.rows = [self.rows[place] for place in kept]
        self._over.clear()
        if kept:
            self._sampler.keep(kept)
