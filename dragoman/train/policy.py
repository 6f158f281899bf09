"""Learning from rewards, however advantages are made: rounds of drawing answers, scoring them, learning from them.

One round draws `episodes` answers with the policy as it stands, weighs them, and learns from each `passes` times in
steps of train.batch answers. A checkpoint in the middle of a round holds the round, so a killed run ends bit for bit as
one that was not.
"""

import copy
import hashlib
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from dragoman.core.doors import Reward
from dragoman.core.errors import UserError
from dragoman.core.types import Example
from dragoman.train.advantages import adapted_weight
from dragoman.train.doors import Kit
from dragoman.train.rollout import Asked, Drawing, Drawn, Heard, Rollout, asked_of, draw, hear, read_drawn, scored
from dragoman.train.silence import silent
from dragoman.train.token_batches import IGNORED

__all__ = ["Judged", "Policy", "PolicyBatch", "Practice", "Weighed", "policy_of", "stream_policy", "told_of"]


@dataclass(frozen=True)
class Practice:
    """What a policy learns from: prompts to answer (an answer beside one is not read), and what scores an answer."""

    examples: Sequence[Example]
    reward: Reward

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(frozen=True, eq=False)
class Weighed:
    """What a round says of each drawn token, [n, s]: how much better than expected it was, and what its return was."""

    advantages: Float[Tensor, "n s"]
    returns: Float[Tensor, "n s"]


@runtime_checkable
class Judged(Protocol):
    """An objective that learns from rewards: how it draws, and what it makes of the scores."""

    @property
    def drawing(self) -> Drawing:
        """How answers are drawn and scored."""
        ...

    def weigh(self, rollout: Rollout, beta: float) -> Weighed:
        """The advantages of a round, in which a nat of KL costs `beta`."""
        ...


@dataclass(frozen=True, eq=False)
class PolicyBatch:
    """Some answers of a round as one pass reads them; each tensor as in Rollout and Weighed."""

    names: tuple[str, ...]
    ids: Int[Tensor, "b s"]
    labels: Int[Tensor, "b s"]
    segments: Int[Tensor, "b s"] | None
    logs: Float[Tensor, "b s"]
    reference: Float[Tensor, "b s"]
    values: Float[Tensor, "b s"]
    advantages: Float[Tensor, "b s"]
    returns: Float[Tensor, "b s"]
    weight: float
    tokens: int
    beta: float
    "what a nat of KL costs in this round"
    told: Mapping[str, float]
    "the figures of the whole round"
    heard: Heard | None = None
    "what the policy said of them when they were read, where nothing has been learnt since"

    def hear(self, net: Any, temperature: float) -> Heard:
        """What the policy says of them now, with its gradient."""
        return self.heard or hear(net, self.ids, self.labels, self.segments, temperature)


@dataclass
class Policy:
    """A training set of prompts, and where the round stands that is being learnt from."""

    asked: tuple[Asked, ...]
    reward: Reward
    seed: int
    steps_a_round: int
    prompts_a_round: int
    origin: Any
    "the net as it was, in eval; None where the policy itself is, once what it learnt is switched off"
    beta: float
    dropped: int = 0
    cut: int = 0
    rollout: Rollout | None = None
    "the answers of the round; None before the first one"
    figures: dict[str, float] = field(default_factory=dict)
    heard: Heard | None = None
    "what the policy said of the whole round, with its gradient, until it has learnt from it"

    def steps_an_epoch(self, batch: int) -> int:
        """How many steps answer every prompt once."""
        return self.steps_a_round * math.ceil(len(self.asked) / self.prompts_a_round)

    def digest(self) -> str:
        """SHA-256 over the names and tokens of all prompts."""
        whole = hashlib.sha256()
        for one in self.asked:
            whole.update(f"{one.name} {one.ids}".encode())
        return whole.hexdigest()

    def words(self) -> Collection[int]:
        """None: the table of words learns whole."""
        return ()

    def prompts(self, number: int) -> list[Asked]:
        """The prompts of a round: all of them in a new order each time, a pure function of (seed, round)."""
        count = len(self.asked)
        places = range(number * self.prompts_a_round, (number + 1) * self.prompts_a_round)
        epochs = {place // count for place in places}
        orders = {epoch: np.random.default_rng([self.seed, epoch]).permutation(count) for epoch in epochs}
        return [self.asked[int(orders[place // count][place % count])] for place in places]

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint holds of it."""
        names = sorted(self.figures)
        told = torch.tensor([self.beta, *(self.figures[name] for name in names)], dtype=torch.float64)
        found = {"told": told, "figures": torch.tensor(list("\0".join(names).encode()), dtype=torch.uint8)}
        return found | ({} if self.rollout is None else self.rollout.tensors())

    def restore(self, tensors: Mapping[str, Tensor], device: str) -> None:
        """Stand where a checkpoint stood."""
        self.beta, *values = tensors["told"].tolist()
        names = [name for name in bytes(tensors["figures"].tolist()).decode().split("\0") if name]
        self.figures = dict(zip(names, values, strict=True))
        self.rollout = Rollout.of(tensors, device) if "ids" in tensors else None

    def reference(self, net: Any) -> AbstractContextManager[Any]:
        """The model as it was, while the block runs."""
        return silent(net) if self.origin is None else nullcontext(self.origin)


def policy_of(objective: Judged, net: Any, practice: Practice, kit: Kit) -> Policy:
    """The prompts in tokens, and the reference. Raises UserError where no prompt leaves room for an answer."""
    how = objective.drawing
    if kit.ranks > 1:
        raise UserError("a policy is trained by one process", "start it without torchrun")
    if how.episodes % kit.how.batch:
        raise UserError(
            f"a round of {how.episodes} answers is not cut into steps of {kit.how.batch}",
            f"say train.batch={how.episodes}, or a number that divides it",
        )
    if how.must_stop and not kit.tokenizer.eos_ids:
        raise UserError("this model has no end token, so no answer of it ends", "say objective.must_stop=false")
    kept = asked_of(practice.examples, kit, net.arch, how)
    return Policy(
        asked=tuple(kept),
        reward=practice.reward,
        seed=kit.how.seed,
        steps_a_round=how.passes * (how.episodes // kit.how.batch),
        prompts_a_round=how.episodes // how.samples,
        origin=None if kit.beside else _frozen(net, kit),
        beta=how.beta,
        dropped=len(practice.examples) - len(kept),
    )


def _frozen(net: Any, kit: Kit) -> Any:
    """A copy that does not learn, in the numbers that the policy computes in."""
    light = copy.deepcopy(net).requires_grad_(False)
    light = light.bfloat16() if kit.precision == "bf16" else light
    return light.to(kit.device).eval()


def stream_policy(
    objective: Judged, net: Any, policy: Policy, kit: Kit, start: int
) -> Iterator[tuple[PolicyBatch, ...]]:
    """The batches of each step from step `start` on: a new round is drawn where the last one has been learnt."""
    each = policy.steps_a_round // objective.drawing.passes
    while True:
        number, place = divmod(start, policy.steps_a_round)
        if place == 0 or policy.rollout is None:
            _begin_round(objective, net, policy, kit, number)
        rollout = policy.rollout
        assert rollout is not None
        weighed = objective.weigh(rollout, policy.beta)
        dice = np.random.default_rng([kit.how.seed, number, place // each])
        order = dice.permutation(objective.drawing.episodes)[(place % each) * kit.how.batch :][: kit.how.batch]
        count = min(kit.how.accumulation, len(order))
        yield tuple(_batch(objective, policy, weighed, np.sort(part)) for part in np.array_split(order, count))
        policy.heard = None
        start += 1


def _begin_round(objective: Judged, net: Any, policy: Policy, kit: Kit, number: int) -> None:
    """Draw and score the answers of a round, and let the weight of the KL follow the last one."""
    how, last = objective.drawing, policy.rollout
    if how.target and last is not None:
        kl = float(last.divergence.mean())
        policy.beta = adapted_weight(policy.beta, kl, how.target, how.episodes, how.horizon)
    asked = [one for one in policy.prompts(number) for _ in range(how.samples)]
    drawn = draw(net, kit.tokenizer, asked, how, (kit.how.seed, number))
    rewards = policy.reward.rate([one.prompt for one in drawn.asked], drawn.texts)
    _check_rewards(rewards, drawn)
    together = -(-kit.how.batch // min(kit.how.accumulation, kit.how.batch))
    once = policy.steps_a_round == 1 and kit.how.accumulation == 1
    given_to = (net, policy.reference, drawn, kit.tokenizer, how.temperature, together, kit.device)
    rollout, policy.heard = read_drawn(*given_to, learning=once)
    given = torch.tensor(np.asarray(rewards), dtype=torch.float32, device=kit.device)
    worth = scored([float(one) for one in rewards], drawn.finished, how)
    scores = torch.tensor(worth, dtype=torch.float32, device=kit.device)
    policy.rollout = replace(rollout, rewards=given, scores=scores)
    policy.figures = told_of(policy.rollout, drawn)


def told_of(rollout: Rollout, drawn: Drawn) -> dict[str, float]:
    """What a round tells of the policy that drew it."""
    tokens = float(rollout.mask.sum())
    runs = [pair for ids in drawn.ids for pair in pairwise(ids)]
    return {
        "reward": float(rollout.rewards.mean()),
        "score": float(rollout.scores.mean()),
        "kl": float(rollout.divergence.mean()),
        "entropy": float(rollout.spread.sum()) / tokens,
        "length": tokens / len(rollout.names),
        "stopped": float(rollout.finished.float().mean()),
        "distinct_2": len(set(runs)) / max(1, len(runs)),
    }


def _check_rewards(rewards: Any, drawn: Drawn) -> None:
    """Raise UserError at the first reward that is no number: the policy would follow it anywhere."""
    for place, one in enumerate(rewards):
        if not math.isfinite(one):
            raise UserError(
                f"the reward of an answer to {drawn.asked[place].name} is {one}: {drawn.texts[place][:60]!r}",
                "mend the reward: objective.reward=...",
            )


def _batch(objective: Judged, policy: Policy, weighed: Weighed, rows: NDArray[np.int64]) -> PolicyBatch:
    """Those answers of the round."""
    rollout = policy.rollout
    assert rollout is not None
    places = torch.from_numpy(rows).to(rollout.ids.device)
    labels = rollout.labels[places]
    tokens, how = int((labels != IGNORED).sum()), objective.drawing
    return PolicyBatch(
        names=tuple(rollout.names[int(row)] for row in rows),
        ids=rollout.ids[places],
        labels=labels,
        segments=None if rollout.segments is None else rollout.segments[places],
        logs=rollout.logs[places],
        reference=rollout.reference[places],
        values=rollout.values[places],
        advantages=weighed.advantages[places],
        returns=weighed.returns[places],
        weight=float({"token": tokens, "answer": len(rows), "place": len(rows) * how.max_tokens}[how.per]),
        tokens=tokens,
        beta=policy.beta,
        told=policy.figures,
        heard=policy.heard,
    )
