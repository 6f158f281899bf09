"""From a constitution to a policy, in the language that can be counted: a planted rule is obeyed in the end.

A text breaks the rule where it holds the word 5. A critic that knows the rule, likes the place that is shown first and
errs, compares pairs in both orders under the eight principles; a model learns its preferences; PPO learns from that
model. How often the rule is broken is exact: .790 before, .002 after, at a KL of 2.3 nats a text; the critic is right
in 96 % of the pairs that differ in it.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from dragoman.app.constitution import default_constitution
from dragoman.app.preference import Compared, compare
from dragoman.core.types import Message
from dragoman.nn.decoder import Decoder
from dragoman.nn.heads import TokenHead
from dragoman.nn.replies import Replies
from dragoman.nn.scorer import Scorer
from dragoman.nn.store import fresh_lm
from dragoman.train.loop import begin, fit
from dragoman.train.objectives.ppo import Ppo
from dragoman.train.objectives.reward import Reward
from dragoman.train.rankings import Rankings
from dragoman.train.tuning.full import Full
from tests.app.planted import Planted
from tests.micro import ARCH, LENGTH, WORDS, Letters, Micro, micro
from tests.train.policies import HOW, SHARED, begun_on

FORBIDDEN = 5


@dataclass(frozen=True)
class Given(Reward):
    """The same objective on pairs that are in tokens already."""

    def encode(self, net: Any, data: Any, kit: Any) -> Rankings:
        """They are given."""
        assert isinstance(data, Rankings)
        return data


def said(world: Micro, text: int) -> str:
    """The text as the critic reads it: the forbidden word is zap."""
    return " ".join("zap" if word == FORBIDDEN else str(int(word)) for word in world.sequences[text])


def tokens_of(world: Micro, text: int) -> tuple[int, ...]:
    """The tokens of a text behind the word that begins each."""
    return (0, *(int(word) for word in world.sequences[text]))


def labelled(world: Micro, count: int) -> tuple[Rankings, float]:
    """Pairs that the model draws, the better one first as the critic sees it, and how often the critic is right."""
    dice = torch.Generator().manual_seed(7)
    texts = torch.multinomial(world.before.exp(), 2 * count, replacement=True, generator=dice).view(-1, 2)
    texts = texts[texts[:, 0] != texts[:, 1]]
    pairs: list[Compared] = [
        ((Message("user", "go on"),), said(world, one), said(world, two)) for one, two in texts.tolist()
    ]
    critic = Planted(bias=1.0, noise=3.0, sure=2.0)
    found = compare(pairs, critic, default_constitution(), seed=0)
    broken = (world.sequences == FORBIDDEN).sum(1)[texts]  # [n, 2]
    right, rows = [], []
    for pair, counts, one in zip(texts.tolist(), broken.tolist(), found, strict=True):
        assert one is not None
        better, worse = pair if one.margin > 0 else pair[::-1]
        rows.append((tokens_of(world, better), tokens_of(world, worse)))
        if counts[0] != counts[1]:
            right.append((one.margin > 0) == (counts[0] < counts[1]))
    names = tuple(str(place) for place in range(len(rows)))
    places = tuple(range(len(rows)))
    replies = object.__new__(Replies)  # these texts need no tokenizer
    replies._pairing = None
    bundles = tuple((place,) for place in places)
    return Rankings(names, tuple(rows), (0.0,) * len(rows), places, bundles, replies, 0), float(np.mean(right))


def scorer(pairs: Rankings) -> Scorer:
    """A model that learnt those preferences."""
    body = fresh_lm(ARCH, 3)
    assert isinstance(body, Decoder)
    net = Scorer(body, TokenHead(ARCH, 1))
    how = replace(HOW, batch=32, steps=200, rate=2e-3)
    training = begin(net, Letters(), Given(), Full(), pairs, how)
    for _ in fit(training):
        pass
    return training.net.eval()  # type: ignore[no-any-return]


def broken(world: Micro, logs: torch.Tensor) -> float:
    """How likely a text is to break the rule."""
    return float((logs.exp() * (world.sequences == FORBIDDEN).any(1)).sum())


def test_a_rule_that_only_the_critic_knows_is_obeyed_in_the_end() -> None:
    world = micro(0)
    pairs, agreement = labelled(world, 1500)
    assert agreement >= 0.95
    net = scorer(pairs)
    with torch.no_grad():
        ids = torch.cat([torch.zeros(WORDS**LENGTH, 1, dtype=torch.long), world.sequences], 1)
        scores = net(ids).double()
    world.rewards = (scores - scores.mean()) / scores.std()
    before = broken(world, world.before)
    training = begun_on(world, Ppo(**{**SHARED, "beta": 0.1}), steps=300, rate=2e-3)
    for _ in fit(training):
        pass
    after, kl = broken(world, world.logs(training.net)), world.kl(training.net)
    assert after <= 0.2 * before
    assert 0 < kl < 4
