"""RLOO: the loss of two answers by hand, the sequence as one action, and what it refuses."""

from dataclasses import replace

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.train.loop import fit
from dragoman.train.objectives.rloo import Rloo
from dragoman.train.rollout import Asked, draw, read_drawn, whole
from tests.micro import Letters, micro
from tests.train.policies import HOW, SHARED, begun_on, kit_of


def test_its_gradient_is_that_of_log_p_times_what_is_better_than_the_others() -> None:
    objective = Rloo(**{**SHARED, "episodes": 4, "samples": 2})
    training = begun_on(micro(0), objective, replace(HOW, batch=4, steps=1))
    net, policy = training.net, training.encoded
    batch = next(objective.stream(net, policy, kit_of(replace(HOW, batch=4)), 0))[0]  # type: ignore[arg-type]
    weights = list(net.parameters())
    own = torch.autograd.grad(objective.loss(net, batch, training.kit).total, weights)
    ids, mask = batch.ids, batch.labels != -100
    logs = (net(ids).log_softmax(-1).gather(2, batch.labels.clamp(min=0)[:, :, None])[:, :, 0] * mask).sum(1)
    scores = policy.rollout.scores  # type: ignore[attr-defined]
    groups = policy.rollout.groups.tolist()  # type: ignore[attr-defined]
    assert groups == [0, 0, 0, 0]  # one prompt, asked twice as two: its answers are compared with all three others
    better = torch.stack([scores[row] - (scores.sum() - scores[row]) / 3 for row in range(4)])
    order = [int((policy.rollout.ids == row).all(1).nonzero()[0, 0]) for row in ids]  # type: ignore[attr-defined]
    by_hand = torch.autograd.grad(-(better[order] * logs).sum(), weights)
    for one, other in zip(own, by_hand, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_one_answer_has_none_to_be_compared_with() -> None:
    with pytest.raises(UserError, match="none to be compared with"):
        Rloo(samples=1, episodes=8)


def test_it_has_no_critic() -> None:
    training = begun_on(micro(0), Rloo(**{**SHARED, "samples": 64}), replace(HOW, steps=1))
    list(fit(training))
    assert training.net.value is None


def test_prompts_that_share_an_id_are_not_one_group() -> None:
    net, how = micro(0).net, Rloo(**{**SHARED, "episodes": 4, "samples": 2}).drawing
    asked = [Asked("twice", (), (0, first)) for first in (1, 1, 2, 2)]
    drawn = draw(net, Letters(), asked, how, (0, 0))
    rollout, _ = read_drawn(net, whole(net), drawn, Letters(), 1.0, 4, "cpu")
    assert rollout.groups.tolist() == [0, 0, 1, 1]
