"""Answers drawn from a policy, and what is known of them at once: their log-probs, the reference's, their scores.

They are drawn by the engine that answers people, a batch at a time, and then read once by the same pass that will learn
from them, so that before the first step no token has become likelier or unlikelier.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Example, Message
from dragoman.nn.arch import Arch
from dragoman.nn.decode import Decoding
from dragoman.train.critic import values_of
from dragoman.train.doors import Kit
from dragoman.train.token_batches import IGNORED, Row, filled
from dragoman.train.word_logs import word_logs

__all__ = [
    "Asked",
    "Drawing",
    "Drawn",
    "Heard",
    "Per",
    "Rollout",
    "asked_of",
    "draw",
    "hear",
    "read_drawn",
    "scored",
    "whole",
]


Per = Literal["token", "answer", "place"]
"all drawn tokens; answers; or answers times the most tokens they may have (Dr. GRPO)"


@dataclass(frozen=True)
class Asked:
    """A prompt: what it is called, its messages, and its tokens as they are read when it is served."""

    name: str
    prompt: tuple[Message, ...]
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Drawing:
    """How answers are drawn, scored and held near the reference: the settings that all learning from rewards has."""

    episodes: int
    samples: int
    passes: int
    max_tokens: int
    temperature: float
    must_stop: bool
    "whether an answer that did not end by itself is worth `missing_stop`, whatever it says"
    missing_stop: float
    beta: float
    target: float
    horizon: float
    per: Per
    "what the loss is a mean over"


@dataclass(frozen=True)
class Drawn:
    """Answers as they came: row i answers prompt `asked[i]`."""

    asked: tuple[Asked, ...]
    ids: tuple[tuple[int, ...], ...]
    "the tokens of each answer, its end token included where it ended"
    texts: tuple[str, ...]
    finished: tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class Heard:
    """What a policy says of drawn tokens, with its gradient: log p, the entropy in front of it, the critic's value."""

    logs: Float[Tensor, "b s"]
    spread: Float[Tensor, "b s"]
    values: Float[Tensor, "b s"]


@dataclass(frozen=True, eq=False)
class Rollout:
    """A batch of answers in tokens, [n, s] with the prompts in front and padding behind, and what was said of them."""

    names: tuple[str, ...]
    ids: Int[Tensor, "n s"]
    labels: Int[Tensor, "n s"]
    "at each place in front of a drawn token that token, elsewhere -100"
    segments: Int[Tensor, "n s"] | None
    groups: Int[Tensor, " n"]
    "which prompt each answers"
    logs: Float[Tensor, "n s"]
    "log p of each drawn token by the policy that drew it, at the temperature it was drawn at"
    reference: Float[Tensor, "n s"]
    "the same by the model as it was"
    spread: Float[Tensor, "n s"]
    "the entropy of the policy in front of each drawn token"
    values: Float[Tensor, "n s"]
    "what the critic expected in front of each drawn token; 0 without one"
    scores: Float[Tensor, " n"]
    "the reward of each answer; that of one that did not end where it had to is replaced"
    rewards: Float[Tensor, " n"]
    "the reward as it was given"
    finished: Bool[Tensor, " n"]

    @property
    def mask(self) -> Bool[Tensor, "n s"]:
        """Where a token was drawn."""
        return self.labels != IGNORED

    @property
    def divergence(self) -> Float[Tensor, " n"]:
        """log p - log p_ref of each answer, whose mean over answers is the KL to the reference, in nats."""
        return (self.logs - self.reference).sum(1)

    def tensors(self) -> dict[str, Tensor]:
        """All of it as a checkpoint holds it."""
        held = {one.name: getattr(self, one.name) for one in fields(self)}
        found = {name: value.contiguous() for name, value in held.items() if isinstance(value, Tensor)}
        return found | {"names": _bytes_of(self.names)}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], device: str) -> "Rollout":
        """The rollout that a checkpoint holds."""
        names = tuple(bytes(tensors["names"].tolist()).decode().split("\0"))
        rest: dict[str, Any] = {
            one.name: tensors[one.name].to(device) if one.name in tensors else None
            for one in fields(cls)
            if one.name != "names"
        }
        return cls(names=names, **rest)


def asked_of(examples: Sequence[Example], kit: Kit, arch: Arch, how: Drawing) -> list[Asked]:
    """The prompts in tokens, without those that leave no room for an answer. Raises UserError where none is left."""
    room = min(kit.how.max_length, arch.longest) - how.max_tokens
    found = [_asked(example, place, kit, room) for place, example in enumerate(examples)]
    kept = [one for one in found if one is not None]
    if not kept:
        raise UserError(
            f"of {len(examples)} prompts none leaves room for {how.max_tokens} tokens of answer",
            "ask for shorter answers, objective.max_tokens=32, or read more: train.max_length=1024",
        )
    return kept


def _asked(example: Example, place: int, kit: Kit, room: int) -> Asked | None:
    """A prompt as serving reads it; None where there is none, or it is longer than there is room for."""
    name, tokenizer = str(example.meta.get("id", f"row {place}")), kit.tokenizer
    prompt = tuple(example.prompt)
    ids = (
        tokenizer.dialogue(list(prompt))
        if tokenizer.chat
        else tokenizer.start("\n".join(one.content for one in prompt))
    )
    return Asked(name, prompt, tuple(ids)) if prompt and 0 < len(ids) <= room else None


def draw(net: Any, tokenizer: Any, asked: Sequence[Asked], how: Drawing, seed: Sequence[int]) -> Drawn:
    """One answer to each prompt, a pure function of the net and `seed`; no two share their random numbers.

    Raises UserError where a prompt leaves no room for an answer.
    """
    number = int.from_bytes(hashlib.sha256(repr(list(seed)).encode()).digest()[:6])
    sampling = Sampling(temperature=how.temperature, max_tokens=how.max_tokens, seed=number)
    ends = tokenizer.eos_ids
    decoding = Decoding(
        net,
        [one.ids for one in asked],
        sampling,
        eos_ids=ends,
        pad_id=tokenizer.pad_id,
        offsets=range(len(asked)),
    )
    rows: list[list[int]] = [[] for _ in asked]
    while written := decoding.step():
        for one in written:
            rows[one.row].append(one.id)
    inside = not tokenizer.chat  # it goes on with the prompt's own text
    said = [[number for number in row if number not in ends] for row in rows]
    texts = tuple(tokenizer.characters(inside=inside).whole(row) for row in said)
    finished = tuple(one == "stop" for one in decoding.finish)
    return Drawn(tuple(asked), tuple(map(tuple, rows)), texts, finished)


def whole(net: Any) -> Callable[[Any], AbstractContextManager[Any]]:
    """A reference that is a net of its own, whichever policy asks."""
    return lambda policy: nullcontext(net)


def hear(
    net: Any,
    ids: Int[Tensor, "b s"],
    labels: Int[Tensor, "b s"],
    segments: Int[Tensor, "b s"] | None,
    temperature: float,
) -> Heard:
    """What the net says of the labels, in one pass."""
    states = net.states(ids, segments=segments)  # [b, s, w]
    logs, spread = word_logs(net, states, labels, temperature)
    return Heard(logs, spread, values_of(net, states) * (labels != IGNORED))


def read_drawn(
    net: Any,
    reference: Callable[[Any], AbstractContextManager[Any]],
    drawn: Drawn,
    tokenizer: Any,
    temperature: float,
    together: int,
    device: str,
    learning: bool = False,
) -> tuple[Rollout, Heard | None]:
    """The answers as the policy and the reference see them, `together` at a time. Their scores are not known yet.

    `reference` opens the model as it was: another net, or the policy with what it learnt switched off. Where the policy
    is `learning`, what it says comes with its gradient too: a round that is learnt from once, whole, need not be read
    again for it, a fifth of the work.
    """
    rows = [_row(one.name, one.ids, answer) for one, answer in zip(drawn.asked, drawn.ids, strict=True)]
    batch = filled(rows, tokenizer.pad_id, device)
    parts = [slice(first, first + together) for first in range(0, len(rows), together)]
    segments = [None if batch.segments is None else batch.segments[part] for part in parts]
    with torch.set_grad_enabled(learning):
        own = [
            hear(net, batch.ids[part], batch.labels[part], one, temperature)
            for part, one in zip(parts, segments, strict=True)
        ]
    with torch.no_grad(), reference(net) as other:
        found = [
            word_logs(other, other.states(batch.ids[part], segments=one), batch.labels[part], temperature)[0]
            for part, one in zip(parts, segments, strict=True)
        ]
    heard = Heard(*(torch.cat(some) for some in zip(*((one.logs, one.spread, one.values) for one in own), strict=True)))
    # Not by name alone: ids of the data may stand twice.
    places = {one: place for place, one in enumerate(dict.fromkeys(drawn.asked))}
    nothing = torch.zeros(len(rows), device=device)
    rollout = Rollout(
        names=batch.names,
        ids=batch.ids,
        labels=batch.labels,
        segments=batch.segments,
        groups=torch.tensor([places[one] for one in drawn.asked], device=device),
        logs=heard.logs.detach(),
        reference=torch.cat(found),
        spread=heard.spread.detach(),
        values=heard.values.detach(),
        scores=nothing,
        rewards=nothing,
        finished=torch.tensor(drawn.finished, device=device),
    )
    return rollout, heard if learning else None


def scored(rewards: Sequence[float], finished: Sequence[bool], how: Drawing) -> list[float]:
    """The scores of answers: their rewards, but for those that had to end by themselves and did not."""
    if not how.must_stop:
        return [float(one) for one in rewards]
    return [float(one) if ended else how.missing_stop for one, ended in zip(rewards, finished, strict=True)]


def _row(name: str, prompt: Sequence[int], answer: Sequence[int]) -> Row:
    """Prompt and answer as they are read: the last token is predicted and never read."""
    ids = np.array([*prompt, *answer[:-1]], dtype=np.int64)
    labels = np.full(len(ids), IGNORED, dtype=np.int64)
    labels[len(prompt) - 1 :] = answer
    return Row(name, ids, labels, np.zeros(len(ids), dtype=np.int64))


def _bytes_of(names: Sequence[str]) -> Tensor:
    return torch.tensor(list("\0".join(names).encode()), dtype=torch.uint8)
