"""In a language that can be counted, pairs teach their reward: beta log p / p_ref of the learnt model is the reward.

Pairs are drawn from the model as it was and chosen by Bradley-Terry of the true reward, each read once. Three seeds:

    pairs     J gained of what can be   correlation       slope
    51,200    .953 .965 .951            .988 .982 .987    .953 .968 1.031
    96,000    .959 .972 .950            .991 .986 .989    .973 1.012 .991
"""

import copy
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from dragoman.train.choices import Choices
from dragoman.train.fitting import Written
from dragoman.train.loop import begin, fit
from dragoman.train.objectives.dpo import Dpo
from dragoman.train.tuning.full import Full
from tests.micro import BETA, LENGTH, Letters, Micro, micro
from tests.train.policies import HOW


@dataclass(frozen=True)
class Drawn(Dpo):
    """The same objective on pairs that are in tokens already."""

    def encode(self, net: Any, data: Any, kit: Any) -> Choices:
        """They are given."""
        assert isinstance(data, Choices)
        return data


def drawn_pairs(world: Micro, count: int, seed: int) -> Choices:
    """Pairs of texts of the model as it was; the better one is chosen as often as Bradley and Terry say."""
    dice = torch.Generator().manual_seed(1000 + seed)
    texts = torch.multinomial(world.before.exp(), 3 * count, replacement=True, generator=dice).view(-1, 2)
    texts = texts[texts[:, 0] != texts[:, 1]][:count]  # [count, 2]
    margin = world.rewards[texts[:, 0]] - world.rewards[texts[:, 1]]
    right = torch.rand(len(texts), generator=dice, dtype=torch.float64) < margin.sigmoid()
    texts = torch.where(right[:, None], texts, texts.flip(1))
    rows = torch.cat([torch.zeros(len(world.sequences), 1, dtype=torch.long), world.sequences], 1).int().numpy()
    written = [Written("", row[:-1], row[1:]) for row in rows]
    pairs = tuple((written[one], written[other]) for one, other in texts.tolist())
    return Choices(pairs, seed, world.before[texts].float())


def learnt(objective: Dpo, seed: int, steps: int) -> tuple[Micro, Any]:
    """The language, and the net after reading each pair once."""
    world = micro(seed)
    how = replace(HOW, steps=steps, seed=seed, rate=2e-3)
    training = begin(copy.deepcopy(world.net), Letters(), objective, Full(), drawn_pairs(world, 64 * steps, seed), how)
    for _ in fit(training):
        pass
    return world, training.net


def line(world: Micro, net: Any) -> tuple[float, float]:
    """Correlation of the implicit reward with the true one over the model's texts as it was, and its slope."""
    weight = world.before.exp()
    implicit = BETA * (world.logs(net) - world.before)
    one, other = (value - (weight * value).sum() for value in (implicit, world.rewards))
    both = float((weight * one * other).sum())
    spread = float((weight * other.square()).sum())
    return both / float((weight * one.square()).sum() * spread) ** 0.5, both / spread


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fresh_pairs_teach_their_reward(seed: int) -> None:
    world, net = learnt(Drawn(beta=BETA), seed, 800)
    found, slope = line(world, net)
    assert world.fraction(net) >= 0.85
    assert found >= 0.97
    assert 0.93 <= slope <= 1.05
    assert world.gain(net) <= world.best() + 1e-6


@dataclass(frozen=True)
class Averaged(Drawn):
    """A bug: log-probs are averaged over the tokens, as IPO's are, so the reward is learnt as many times too large."""

    def loss(self, net: Any, batch: Any, kit: Any) -> Any:
        """As if beta were a fifth of what it is."""
        return Dpo(beta=self.beta / LENGTH).loss(net, batch, kit)


def test_averaged_log_probs_are_seen_by_the_slope() -> None:
    world, net = learnt(Averaged(beta=BETA), 0, 400)
    assert line(world, net)[1] > 1.5
