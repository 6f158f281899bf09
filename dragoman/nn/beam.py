"""Beam search: several beginnings are kept at once, and the best whole answers win."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.nn.decode import Writer, not_finite, read, room

__all__ = ["search"]


@dataclass
class _Whole:
    """The best answers that have ended: their scores, tokens, and whether an end token closed them."""

    most: int
    found: list[tuple[float, list[int], bool]] = field(default_factory=list)

    def add(self, total: float, ids: list[int], power: float, ended: bool) -> None:
        """Keep an answer where it is among the best. Its score is the sum over its length to a power."""
        self.found.append((total / max(1, len(ids)) ** power, ids, ended))
        self.found.sort(key=lambda one: -one[0])
        del self.found[self.most :]

    def settled(self, best: float, length: int, power: float) -> bool:
        """Whether no running beam can beat the worst that is kept, were it to end now."""
        return len(self.found) == self.most and self.found[-1][0] >= best / length**power


@torch.inference_mode()
def search(
    net: Writer, prompt: Sequence[int], how: Sampling, eos_ids: frozenset[int], pad_id: int
) -> list[tuple[list[int], bool]]:
    """The best answers to one prompt with whether each ended by itself, best first; how.beams of them.

    A score is the summed log-probability divided by (tokens, the end included) ** how.length_penalty (Wu et al. 2016 in
    the form that transformers uses). Raises UserError where the prompt leaves no room, a setting is asked for that
    beams do not keep to, or the model's numbers are not finite.
    """
    _refuse_bent(how)
    limit, beams = room(net.arch, prompt, how.max_tokens), how.beams
    eos_ids = frozenset(one for one in eos_ids if one < net.arch.vocabulary)  # an end that cannot be written is none
    reading = read(net, [prompt], limit, pad_id, beams)
    totals = torch.full((beams,), -torch.inf, device=reading.logits.device)  # [b]
    totals[0] = 0.0  # all beams are one beginning still
    running: list[list[int]] = [[] for _ in range(beams)]
    whole = _Whole(beams)
    for step in range(limit):
        chances = totals[:, None] + _log(reading.logits, step < how.min_tokens, eos_ids)  # [b, v]
        size = chances.shape[1]
        # Each beam may end: twice as many are looked at, so that as many as there are beams go on.
        values, places = chances.flatten().topk(min(max(2, 1 + len(eos_ids)) * beams, chances.numel()))
        kept: list[tuple[float, int, int]] = []
        for rank, (value, place) in enumerate(zip(values.tolist(), places.tolist(), strict=True)):
            beam, token = divmod(place, size)
            if token in eos_ids:
                if rank < beams:
                    whole.add(value, [*running[beam], token], how.length_penalty, True)
            elif len(kept) < beams:
                kept.append((value, beam, token))
        running = [[*running[beam], token] for _, beam, token in kept]
        if step + 1 == limit:
            for (value, _, _), ids in zip(kept, running, strict=True):
                whole.add(value, ids, how.length_penalty, False)
            break
        if whole.settled(kept[0][0], step + 1, how.length_penalty):
            break
        totals = torch.tensor([value for value, _, _ in kept], device=totals.device)  # [b]
        reading.keep(torch.tensor([beam for _, beam, _ in kept], device=totals.device))
        ids_next = torch.tensor([[token] for _, _, token in kept], device=totals.device)  # [b, 1]
        reading.logits = reading.go_on(ids_next)[:, 0]  # [b, v]
    return [(ids, ended) for _, ids, ended in whole.found]


def _log(logits: Float[Tensor, "b v"], early: bool, eos_ids: frozenset[int]) -> Float[Tensor, "b v"]:
    log = logits.float().log_softmax(-1)  # [b, v]
    if not bool(log.amax(-1).isfinite().all()):
        raise not_finite("the logits of a beam hold nan")
    if early and eos_ids:
        log[:, sorted(eos_ids)] = -torch.inf
    return log


def _refuse_bent(how: Sampling) -> None:
    """A beam's score is the model's own probability: what would bend it is refused, not passed over."""
    bent = [name for name in ("logit_bias", "frequency_penalty", "presence_penalty") if getattr(how, name)]
    bent += ["repetition_penalty"] if how.repetition_penalty != 1 else []
    if bent:
        raise UserError(f"beam search does not go with {bent[0]}", f"say beams=1, or leave {bent[0]} out")
