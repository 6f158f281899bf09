"""GRPO: what its loss is a mean over, by hand, and that equal rewards teach nothing but nearness."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.train.objectives.grpo import Grpo
from dragoman.train.policy import PolicyBatch
from tests.micro import micro
from tests.train.policies import HOW, kit_of

MASK = torch.tensor([[True, True, True], [True, False, False]])


def batch(**change: Any) -> PolicyBatch:
    """Two answers, of three tokens and of one, one as much better as the other is worse."""
    ids = torch.tensor([[0, 1, 2], [0, 3, 3]])
    labels = torch.tensor([[1, 2, 3], [4, -100, -100]])
    net = micro(0).net
    logs = (net(ids).log_softmax(-1).gather(2, labels.clamp(min=0)[:, :, None])[:, :, 0] * MASK).detach()
    better = torch.tensor([[1.0], [-1.0]]) * MASK
    given: dict[str, Any] = {"names": ("a", "b"), "ids": ids, "labels": labels, "segments": None, "told": {}}
    given |= {"logs": logs, "reference": logs, "values": logs * 0, "advantages": better, "returns": better}
    given |= {"weight": 1.0, "tokens": 4, "beta": 0.5}
    return PolicyBatch(**{**given, **change})


def loss(objective: Grpo, one: PolicyBatch) -> float:
    """Of the whole batch, at a net that has not moved."""
    return float(objective.loss(micro(0).net, one, kit_of()).total.detach())


@pytest.mark.parametrize(("mean", "wanted"), [("token", -3 + 1), ("place", -3 + 1), ("answer", -1 + 1)])
def test_what_it_is_a_mean_over(mean: Any, wanted: float) -> None:
    assert loss(Grpo(mean=mean, max_tokens=3), batch()) == pytest.approx(wanted, abs=1e-5)
    assert Grpo(mean=mean).drawing.per == mean


@pytest.mark.parametrize("mean", ["token", "answer"])
def test_the_kl_is_counted_where_a_token_was_drawn(mean: Any) -> None:
    away = batch(advantages=torch.zeros(2, 3), reference=batch().logs - 0.3)
    each = torch.tensor(-0.3).exp().item() + 0.3 - 1
    counted = 4 if mean == "token" else 2
    assert loss(Grpo(mean=mean, kl="k3"), away) == pytest.approx(0.5 * each * counted, abs=1e-5)
    assert loss(Grpo(mean=mean), away) == pytest.approx(0.5 * each * counted, abs=1e-5)


def test_a_token_that_went_too_far_is_held() -> None:
    far = batch(logs=batch().logs - 0.5)  # each token has become e^0.5 as likely
    assert loss(Grpo(mean="token", kl="k3", clip=0.2), replace(far, beta=0.0)) == pytest.approx(
        -3 * 1.2 + torch.tensor(0.5).exp().item(), abs=1e-4
    )


def test_equal_rewards_teach_nothing_but_nearness() -> None:
    net = micro(0).net
    still = batch(advantages=torch.zeros(2, 3))
    slopes = torch.autograd.grad(Grpo().loss(net, still, kit_of(HOW)).total, list(net.parameters()))
    assert max(float(one.abs().max()) for one in slopes) < 1e-6


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(UserError):
        Grpo(samples=1, episodes=8)
