"""From logits to the next token: each warper as a pure function, and `Sampler`, which applies them in one stated order.

Order: bias; repetition, frequency and presence penalties; min_tokens; the constraint; temperature; top_k; top_p; min_p;
typical_p. It is the order of transformers. llama.cpp takes the temperature last, which gives another distribution.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling

__all__ = [
    "Limit",
    "Sampler",
    "bias",
    "frequency_and_presence",
    "min_p",
    "pick",
    "repetition",
    "temperature",
    "top_k",
    "top_p",
    "typical",
]

_NEVER = float("-inf")
_SMALL = 512  # up to this top_k the survivors are taken out of the vocabulary before anything is sorted
_SPARE = 16  # so many more are taken, because all that tie with the last one survive
_EDGE = 1e-5  # more than float32 sums over a vocabulary are wrong by
_CACHED = 2**16  # numbers that a core works on at a time: half a megabyte in float64


@runtime_checkable
class Limit(Protocol):
    """What may come next in one text; `nn.constraint.Matcher` is one."""

    @property
    def done(self) -> bool:
        """Whether nothing may follow."""
        ...

    def allowed(self) -> Bool[Tensor, " v"]:
        """True for the tokens that may come next, on the CPU; a shorter one forbids the ids behind it."""
        ...

    def push(self, token: int) -> None:
        """This token was written."""
        ...


def bias(logits: Float[Tensor, "b v"], added: Mapping[int, float]) -> Float[Tensor, "b v"]:
    """Add a number to the logits of single tokens."""
    ids = torch.tensor(list(added), device=logits.device)  # [n]
    numbers = torch.tensor(list(added.values()), dtype=logits.dtype, device=logits.device)  # [n]
    return logits.index_add(1, ids, numbers.expand(len(logits), -1))  # [b, v]


def repetition(logits: Float[Tensor, "b v"], counts: Int[Tensor, "b v"], value: float) -> Float[Tensor, "b v"]:
    """Positive logits of tokens seen divided by `value`, negative ones multiplied, once a token (Keskar et al. 2019).

    It is not invariant to a shift of the logits, so it belongs on the model's own.
    """
    bent = torch.where(logits < 0, logits * value, logits / value)  # [b, v]
    return torch.where(counts > 0, bent, logits)  # [b, v]


def frequency_and_presence(
    logits: Float[Tensor, "b v"], counts: Int[Tensor, "b v"], frequency: float, presence: float
) -> Float[Tensor, "b v"]:
    """OpenAI's definition: count times `frequency` taken off, and `presence` once where the count is not zero."""
    times = counts.to(logits.dtype)  # [b, v]
    return logits - times * frequency - times.clamp(max=1) * presence  # [b, v]


def temperature(logits: Float[Tensor, "b v"], value: float) -> Float[Tensor, "b v"]:
    """Logits divided by `value`, which is above 0: the greedy choice is an argmax and never comes here."""
    return logits / value  # [b, v]


def top_k(logits: Float[Tensor, "b v"], value: int) -> Float[Tensor, "b v"]:
    """Only the `value` largest, and all that tie with the smallest of them (Fan et al. 2018)."""
    last = logits.topk(min(value, logits.shape[1])).values[:, -1:]  # [b, 1]
    return logits.masked_fill(logits < last, _NEVER)  # [b, v]


def top_p(logits: Float[Tensor, "b v"], value: float) -> Float[Tensor, "b v"]:
    """The smallest set with at least this probability, the token that crosses it included (Holtzman et al. 2019)."""
    rising, order = logits.sort(-1)  # [b, v]
    below = rising.softmax(-1).cumsum(-1) <= 1 - value  # [b, v]
    below[:, -1] = False  # one is always left
    return logits.masked_fill(torch.empty_like(below).scatter_(1, order, below), _NEVER)  # [b, v]


def min_p(logits: Float[Tensor, "b v"], value: float) -> Float[Tensor, "b v"]:
    """Without the tokens less probable than this share of the most probable one (Nguyen et al. 2024)."""
    chances = logits.softmax(-1)  # [b, v]
    return logits.masked_fill(chances < value * chances.amax(-1, keepdim=True), _NEVER)  # [b, v]


def typical(logits: Float[Tensor, "b v"], value: float) -> Float[Tensor, "b v"]:
    """The tokens whose surprise is nearest to the entropy, until they have this probability (Meister et al. 2022)."""
    log = logits.log_softmax(-1)  # [b, v]
    entropy = -(log * log.exp()).nansum(-1, keepdim=True)  # [b, 1]; what is impossible adds 0, not nan
    distance = (-log - entropy).abs()  # [b, v]
    near, order = distance.sort(-1)  # [b, v]
    mass = logits.gather(1, order).softmax(-1).cumsum(-1)  # [b, v]
    last = (mass < value).sum(-1, keepdim=True).clamp(max=logits.shape[1] - 1)  # [b, 1]
    return logits.masked_fill(distance > near.gather(1, last), _NEVER)  # [b, v]


def pick(logits: Float[Tensor, "b v"], uniforms: Float64[Tensor, " b"]) -> Int[Tensor, " b"]:
    """The token at which each row's cumulative probability passes its number in [0, 1), in float64.

    Raises ValueError for a row that holds nan, or nothing that is possible.
    """
    if logits.device.type == "mps":  # Metal has no float64
        return pick(logits.cpu(), uniforms).to(logits.device)
    wide = logits.double()  # [b, v]
    passed = (wide - wide.amax(-1, keepdim=True)).exp().cumsum(-1)  # [b, v]
    total = passed[:, -1:]  # [b, 1]
    _refuse(total[:, 0])
    # Rounding may lift the point to the total itself, behind which there is no token.
    below = torch.nextafter(total, torch.zeros_like(total))  # [b, 1]
    point = torch.minimum(uniforms.to(total.device)[:, None] * total, below)  # [b, 1]
    return torch.searchsorted(passed, point, right=True)[:, 0]  # [b]


class Sampler:
    """Draws the next token of every row of a batch, and keeps what that needs: counts, limits, random numbers.

    `told` holds after each draw, where how.logprobs asks for it, the log-probability of the drawn tokens [b], the most
    probable tokens [b, k] and their log-probabilities [b, k], all by the model's own distribution: before any bias,
    penalty, limit or temperature.
    """

    def __init__(
        self,
        how: Sampling,
        prompts: Sequence[Sequence[int]],
        vocabulary: int,
        eos_ids: frozenset[int],
        device: torch.device | str,
        offsets: Sequence[int],
        grammars: Sequence[Limit] | None = None,
    ) -> None:
        """One row a prompt; offsets[i] is which of the n answers row i is. Raises UserError for a bias on no token."""
        unknown = [token for token in how.logit_bias if token >= vocabulary]
        if unknown:
            said = f"logit_bias names token {unknown[0]}, and the model has {vocabulary} tokens"
            raise UserError(said, f'say logit_bias={{"{vocabulary - 1}"=-100}} with an id below {vocabulary}')
        self.how = how
        self.told: tuple[Tensor, Tensor, Tensor] | None = None
        self.grammars = list(grammars) if grammars is not None else None
        self._written = 0
        self._ends = torch.tensor(sorted(one for one in eos_ids if one < vocabulary), dtype=torch.long)  # [e]
        # A row's numbers come from (seed, which answer) alone, so that its text is the same in any batch.
        self._random = [np.random.default_rng(np.random.SeedSequence(how.seed, spawn_key=(one,))) for one in offsets]
        self._counts: Int[Tensor, "b v"] | None = None
        if how.frequency_penalty or how.presence_penalty or how.repetition_penalty != 1:
            seen = [list(prompt) if how.penalise_prompt else [] for prompt in prompts]
            counts = [torch.tensor(ids, dtype=torch.long).bincount(minlength=vocabulary) for ids in seen]
            self._counts = torch.stack(counts).to(device)  # [b, v]

    def draw(self, logits: Float[Tensor, "b v"]) -> Int[Tensor, " b"]:
        """The next token of each row. The logits are left as they are.

        Raises ValueError naming the row whose logits hold nan, or where nothing may come next.
        """
        logits = logits.float()  # [b, v]
        bent = self._limited(self._penalised(logits))  # [b, v]
        if self.how.temperature == 0:
            ids = bent.argmax(-1)  # [b]; nan counts as the largest
            _refuse(bent.gather(1, ids[:, None])[:, 0])
        else:
            uniforms = torch.tensor([one.random() for one in self._random], dtype=torch.float64)  # [b]
            _refuse(bent.amax(-1))
            ids = self._drawn(bent, uniforms)  # [b]
        self._remember(logits, ids)
        return ids

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order."""
        self._random = [self._random[row] for row in rows]
        if self.grammars is not None:
            self.grammars = [self.grammars[row] for row in rows]
        if self._counts is not None:
            self._counts = self._counts[torch.tensor(list(rows), dtype=torch.long, device=self._counts.device)]

    def _penalised(self, logits: Float[Tensor, "b v"]) -> Float[Tensor, "b v"]:
        how, counts = self.how, self._counts
        if how.logit_bias:
            logits = bias(logits, how.logit_bias)
        if counts is not None and how.repetition_penalty != 1:
            logits = repetition(logits, counts, how.repetition_penalty)
        if counts is not None and (how.frequency_penalty or how.presence_penalty):
            logits = frequency_and_presence(logits, counts, how.frequency_penalty, how.presence_penalty)
        return logits

    def _limited(self, logits: Float[Tensor, "b v"]) -> Float[Tensor, "b v"]:
        """No end before min_tokens, and nothing that the constraint forbids.

        Where the constraint leaves nothing but an end, the text ends, however short.
        """
        early = self._written < self.how.min_tokens
        if self.grammars is None:
            return logits.index_fill(1, self._ends.to(logits.device), _NEVER) if early else logits
        mask = torch.zeros(logits.shape, dtype=torch.bool)  # [b, v]
        for row, grammar in enumerate(self.grammars):
            may = grammar.allowed()[: logits.shape[1]]
            mask[row, : len(may)] = may
        if early:
            inner = mask.index_fill(1, self._ends, False)  # [b, v]
            mask = torch.where(inner.any(-1, keepdim=True), inner, mask)
        return logits.masked_fill(~mask.to(logits.device), _NEVER)

    def _drawn(self, logits: Float[Tensor, "b v"], uniforms: Float64[Tensor, " b"]) -> Int[Tensor, " b"]:
        """By warpers and luck. A core does few rows at a time: they stay in its cache, and one flat distribution does
        not send all rows through a sort. Measured on 16 rows of 32,000 tokens: a third of the time."""
        step = max(1, _CACHED // logits.shape[1]) if logits.device.type == "cpu" else len(logits)
        few = [slice(row, row + step) for row in range(0, len(logits), step)]
        return torch.cat([self._drawn_together(logits[rows], uniforms[rows]) for rows in few])  # [b]

    def _drawn_together(self, logits: Float[Tensor, "b v"], uniforms: Float64[Tensor, " b"]) -> Int[Tensor, " b"]:
        how = self.how
        short = 0 < how.top_k <= _SMALL or (not how.top_k and how.top_p < 1 and logits.device.type == "cpu")
        short = short and (how.top_k or _SMALL) + _SPARE < logits.shape[1]
        warm = temperature(logits, how.temperature)  # [b, v]
        few = _few(warm, how.top_k, how.top_p) if short else None
        if few is not None:
            values, ids = few  # [b, m]
            return ids.gather(1, pick(self._truncated(values), uniforms)[:, None])[:, 0]
        if short and len(logits) > 1:  # each row's own way, so that it does not depend on the others
            alone = [slice(row, row + 1) for row in range(len(logits))]
            return torch.cat([self._drawn_together(logits[row], uniforms[row]) for row in alone])  # [b]
        warm = top_k(warm, how.top_k) if how.top_k else warm  # [b, v]
        warm = top_p(warm, how.top_p) if how.top_p < 1 else warm  # [b, v]
        return pick(self._truncated(warm), uniforms)

    def _truncated(self, logits: Float[Tensor, "b v"]) -> Float[Tensor, "b v"]:
        how = self.how
        if how.min_p > 0:
            logits = min_p(logits, how.min_p)
        if how.typical_p < 1:
            logits = typical(logits, how.typical_p)
        return logits

    def _remember(self, logits: Float[Tensor, "b v"], ids: Int[Tensor, " b"]) -> None:
        self._written += 1
        if self._counts is not None:
            self._counts.scatter_add_(1, ids[:, None], torch.ones_like(ids)[:, None])
        if self.grammars is not None:
            for grammar, token in zip(self.grammars, ids.tolist(), strict=True):
                grammar.push(token)
        if self.how.logprobs:
            log = logits.log_softmax(-1)  # [b, v]
            top = log.topk(min(self.how.logprobs, log.shape[1]))
            self.told = log.gather(1, ids[:, None])[:, 0], top.indices, top.values


def _survivors(logits: Float[Tensor, "b v"], value: int) -> tuple[Float[Tensor, "b m"], Int[Tensor, "b m"]] | None:
    """What `top_k` leaves, in the order of the ids, without the rest; None where more tie than were taken.

    Sorting and summing some dozen numbers instead of the vocabulary gives the same draw in a fraction of the time.
    """
    values, ids = logits.topk(value + _SPARE)  # [b, m]
    last, beyond = values[:, value - 1 : value], values[:, -1:]  # [b, 1]
    if bool(((beyond >= last) & (beyond > _NEVER)).any()):
        return None
    ids, order = ids.sort(-1)  # [b, m]
    values = values.masked_fill(values < last, _NEVER).gather(1, order)  # [b, m]
    return values, ids


def _few(logits: Float[Tensor, "b v"], k: int, p: float) -> tuple[Float[Tensor, "b m"], Int[Tensor, "b m"]] | None:
    """What `top_k` and `top_p` leave, in the order of the ids, without the rest; None where the short way is no way.

    That is where more tokens than `_SMALL` are left, or the edge of `top_p` goes through tokens that tie or comes so
    near one that rounding decides: there the draw is what `top_p` itself gives.
    """
    few = _survivors(logits, k or _SMALL)
    if few is None or p == 1:
        return few
    values, ids = few  # [b, m]
    whole = (values if k else logits).logsumexp(-1, keepdim=True).double()  # [b, 1]
    rising, order = values.sort(-1)  # [b, m]
    chances = (rising.double() - whole).exp()  # [b, m]
    above = chances.flip(-1).cumsum(-1).flip(-1) - chances  # [b, m]
    out = above >= p  # [b, m]
    split = out[:, :-1] & ~out[:, 1:] & (rising[:, :-1] == rising[:, 1:])  # [b, m - 1]
    unsure = ((above - p).abs() < _EDGE).any() | split.any() | (~out[:, 0]).any()
    if bool(unsure):
        return None
    return values.masked_fill(torch.empty_like(out).scatter_(1, order, out), _NEVER), ids


def _refuse(last: Float[Tensor, " b"]) -> None:
    """Raise ValueError for the first row whose total or maximum is no possible one."""
    wrong = ~last.isfinite()  # [b]
    if bool(wrong.any()):
        raise ValueError(
            f"row {int(wrong.nonzero()[0, 0])} of the batch: its logits hold nan, or nothing may come next"
        )
