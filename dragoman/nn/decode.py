"""Writing: the prompts are read once, then every step draws one token a row and reads it.

One loop serves all: prompts of different lengths in one batch, encoder-decoders, constraints, n answers. It knows ids
only; characters and stop texts belong to who asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dragoman.core.errors import UserError, empty_prompt
from dragoman.core.sampling import Sampling
from dragoman.nn.arch import Arch
from dragoman.nn.cache import Cache
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.graph import Graph
from dragoman.nn.padding import pad, pad_left
from dragoman.nn.sampling import Limit, Sampler

__all__ = ["Decoding", "Reading", "Writer", "Written", "not_finite", "read", "room"]

Writer = Decoder | EncoderDecoder


@dataclass(frozen=True, slots=True)
class Written:
    """One token of one row, and what the model itself thought of it where that was asked for."""

    row: int
    id: int
    logprob: float = 0.0
    top: tuple[tuple[int, float], ...] = ()


@dataclass
class Reading:
    """What is known after the prompts were read: the caches, and the logits of the next token of each row."""

    decoder: Decoder
    cache: Cache
    logits: Float[Tensor, "b v"]
    source_mask: Tensor | None = None

    @torch.inference_mode()
    def go_on(self, ids: Int[Tensor, "b s"]) -> Float[Tensor, "b s v"]:
        """Read further tokens of every row; the logits after each."""
        logits: Tensor = self.decoder(ids, cache=self.cache, source_mask=self.source_mask)
        return logits

    @torch.inference_mode()
    def keep(self, rows: Int[Tensor, "kept"]) -> None:
        """Go on with these rows alone, in this order; a row may be taken twice."""
        self.cache.keep(rows)
        if self.decoder.choice is not None:
            self.decoder.choice.keep(rows)
        self.logits = self.logits[rows]
        if self.source_mask is not None:
            self.source_mask = self.source_mask[rows]


def room(arch: Arch, prompt: Sequence[int], most: int) -> int:
    """How many tokens may be written after a prompt: `most`, or what the model's positions leave.

    Raises UserError where the prompt is empty or leaves nothing.
    """
    if not prompt:
        raise empty_prompt()
    if arch.kind == "encoder-decoder":
        if len(prompt) > arch.longest:
            raise _too_long(len(prompt), arch.longest)
        return min(most, arch.longest - 1)
    if len(prompt) >= arch.longest:
        raise _too_long(len(prompt), arch.longest)
    return min(most, arch.longest - len(prompt))


def not_finite(said: str) -> UserError:
    """The mistake of weights, or of a precision, that give no numbers."""
    return UserError(f"no next token can be drawn: {said}", "say precision=fp32, or check the weights")


def _too_long(tokens: int, longest: int) -> UserError:
    said = f"the prompt has {tokens:,} tokens, and this model reads {longest:,}, its answer included"
    return UserError(said, "shorten the prompt, or choose a model that reads more: dragoman models MODEL says how much")


@torch.inference_mode()
def read(net: Writer, prompts: Sequence[Sequence[int]], more: int, pad_id: int, rows: int = 1) -> Reading:
    """Read the prompts in one batch, with space for `more` tokens; each prompt then stands for `rows` rows."""
    decoder = net.decoder if isinstance(net, EncoderDecoder) else net
    table = decoder.embeddings.words.weight
    place = table.device
    # On a CPU attention is done in float32 whatever the matrices are in: torch's bf16 kernel rounds by blocks of keys,
    # so that padding moved 17 of 24 drawn answers, and takes 1.3 to 2 times as long (torch 2.13, AVX-512).
    dtype = torch.float32 if place.type == "cpu" else table.dtype
    if isinstance(net, EncoderDecoder):
        ids, mask = pad(prompts, pad_id)  # [b, t], [b, t]
        ids, mask = ids.to(place), None if mask is None else mask.to(place)
        source, mask, _ = net.read(ids, mask)  # [b, t, w], [b, t]
        cache = Cache(net.arch, len(prompts), decoder.ahead + 1 + more, dtype, place, source=source.shape[1])
        start = torch.full((len(prompts), 1), net.arch.start_id, device=place)  # [b, 1]
        states = decoder.states(start, cache=cache, source=source, source_mask=mask)  # [b, 1, w]
    else:
        ids, mask = pad_left(prompts, pad_id)  # [b, s], [b, s]
        ids, mask = ids.to(place), None if mask is None else mask.to(place)
        cache = Cache(net.arch, len(prompts), decoder.ahead + ids.shape[1] + more, dtype, place)
        states = decoder.states(ids, mask, cache)  # [b, s, w]
    source_mask = mask if isinstance(net, EncoderDecoder) else None
    reading = Reading(decoder, cache, decoder.predict(states[:, -1]), source_mask)
    if rows > 1:
        reading.keep(torch.arange(len(prompts), device=place).repeat_interleave(rows))
    return reading


class Decoding:
    """A batch of answers being written: `step` gives the next token of every row that is not over.

    Row i of prompt p is answer i of how.n. A row ends at an end token, at its limit, when its grammar is done, or when
    it is told to by `end`. Raises UserError where a prompt leaves no room.
    """

    def __init__(
        self,
        net: Writer,
        prompts: Sequence[Sequence[int]],
        how: Sampling,
        *,
        eos_ids: frozenset[int],
        pad_id: int,
        grammars: Sequence[Limit] | None = None,
        offsets: Sequence[int] | None = None,
    ) -> None:
        """`offsets` say which random numbers each prompt's answers take, so that no two rows of a batch share any; by
        default answer i takes the i-th whatever its prompt, and a text does not depend on the others in its batch."""
        if offsets is not None and (how.n != 1 or len(offsets) != len(prompts)):
            raise ValueError("offsets are given for one answer to each prompt")
        limits = [room(net.arch, prompt, how.max_tokens) for prompt in prompts]
        self._reading = read(net, prompts, max(limits), pad_id, how.n)
        self._limits = [limit for limit in limits for _ in range(how.n)]
        self._eos_ids = eos_ids
        self.rows = list(range(len(self._limits)))
        "the rows still being written, by number"
        self.finish = ["length"] * len(self.rows)
        "why each row ended: stop or length"
        drawn = [offset for _ in prompts for offset in range(how.n)] if offsets is None else list(offsets)
        whole = [prompt for prompt in prompts for _ in range(how.n)]
        place = self._reading.logits.device
        size = net.arch.vocabulary
        self._sampler = Sampler(how, whole, size, eos_ids, place, drawn, grammars)
        self._told = bool(how.logprobs)
        self._graph: Graph | None = Graph(self._reading) if place.type == "cuda" else None
        self._batch = list(self.rows)
        self._steps = 0
        self._over: set[int] = set()
        self._last: Tensor | None = None

    @torch.inference_mode()
    def step(self) -> list[Written]:
        """The next token of each row that is being written; [] when all are over."""
        self._settle()
        if not self.rows:
            return []
        if self._last is not None:
            self._reading.logits = self._next(self._last)  # [b, v]
        try:
            ids = self._sampler.draw(self._reading.logits)  # [b]
        except ValueError as error:  # nothing was possible, most often because a number was not finite
            raise not_finite(str(error)) from None
        self._last, self._steps = ids, self._steps + 1
        written = self._written(ids)
        grammars = self._sampler.grammars
        for place, one in written:
            if one.id in self._eos_ids or (grammars is not None and grammars[place].done):
                self.end(one.row)
            elif self._steps >= self._limits[one.row]:
                self._over.add(one.row)
        return [one for _, one in written]

    def end(self, row: int) -> None:
        """This row has said enough: it stops before its next token."""
        self._over.add(row)
        self.finish[row] = "stop"

    def _next(self, ids: Int[Tensor, "b"]) -> Float[Tensor, "b v"]:
        if self._graph is not None:
            return self._graph(ids)
        return self._reading.go_on(ids[:, None])[:, 0]  # [b, v]

    def _written(self, ids: Int[Tensor, "b"]) -> list[tuple[int, Written]]:
        """The tokens of the rows that are not over, with their places in the batch."""
        numbers, told = ids.tolist(), None
        if self._told and self._sampler.told is not None:
            told = [part.tolist() for part in self._sampler.told]
        found = []
        for place, row in enumerate(self._batch):
            if row in self._over:
                continue
            if told is None:
                found.append((place, Written(row, numbers[place])))
            else:
                top = tuple(zip(told[1][place], told[2][place], strict=True))
                found.append((place, Written(row, numbers[place], told[0][place], top)))
        return found

    def _settle(self) -> None:
        """Let go of the rows that are over: what they would still compute is paid by the others.

        A recorded step has one shape, and recording anew costs some twenty steps: on a GPU half of them must be over.
        """
        kept = [place for place, row in enumerate(self._batch) if row not in self._over]
        self.rows = [self._batch[place] for place in kept]
        if len(kept) == len(self._batch) or not kept:
            return
        if self._graph is not None and 2 * len(kept) > len(self._batch):
            return
        self._batch = list(self.rows)
        chosen = torch.tensor(kept, device=self._reading.logits.device)
        self._reading.keep(chosen)
        self._sampler.keep(kept)
        self._last = None if self._last is None else self._last[chosen]
        if self._graph is not None:
            self._graph = Graph(self._reading)
