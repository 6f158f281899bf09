"""Odds ratio preference optimisation: its loss and gradient, what it learns, and that it needs no reference."""

from dataclasses import replace

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.train.fitting import Lesson
from dragoman.train.objectives.orpo import Orpo
from tests.train.lessons import HOW, kit, model, steps
from tests.train.preferences import begun_with, pairs

CALM = replace(HOW, rate=1e-3, batch=6, steps=30)


def test_loss_and_gradient_are_the_formula_from_all_logits() -> None:
    objective, net, given = Orpo(weight=0.4), model().double().eval(), kit(how=CALM)
    batch = objective.encode(net, Lesson(pairs(3)), given).pair_batch([0, 1, 2], given)
    weights = list(net.parameters())
    found = objective.loss(net, batch, given)
    means = []
    for ids, labels in zip(batch.rows.ids, batch.rows.labels, strict=True):
        logs = net(ids[None])[0].log_softmax(-1)
        kept = labels != -100
        means.append(logs[kept, labels[kept]].mean())
    total = torch.zeros((), dtype=torch.float64)
    for chosen, rejected in zip(means[:3], means[3:], strict=True):
        one, other = chosen.exp(), rejected.exp()
        ratio = (one / (1 - one)) / (other / (1 - other))
        total = total - chosen - 0.4 * torch.log(ratio / (1 + ratio))
    assert found.total.item() == pytest.approx(total.item(), abs=1e-9)
    own, by_hand = (torch.autograd.grad(one, weights) for one in (found.total, total))
    assert all(torch.allclose(one, other, atol=1e-9) for one, other in zip(own, by_hand, strict=True))


def test_no_reference_is_read() -> None:
    assert Orpo().encode(model(), Lesson(pairs(3)), kit(how=CALM)).reference.numel() == 0


def test_it_learns_the_answer_and_tells_pairs_apart_at_once() -> None:
    taken = steps(begun_with(Orpo(weight=0.5), how=replace(CALM, rate=3e-3, steps=60)))
    assert taken[-1].figures["accuracy"] == 1.0 and taken[-1].figures["margin"] > 1.0
    assert taken[-1].figures["chosen"] > taken[0].figures["chosen"] + 1.0
    assert taken[-1].loss < taken[0].loss / 2


def test_a_step_in_parts_learns_the_same() -> None:
    whole, cut = (steps(begun_with(Orpo(), how=replace(CALM, accumulation=parts)), 4) for parts in (1, 3))
    for one, other in zip(whole, cut, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-6)
        assert one.figures == pytest.approx(other.figures, abs=1e-5)


def test_an_answer_that_is_certain_has_finite_odds() -> None:
    from dragoman.train.objectives.orpo import _log_odds

    logs = torch.tensor([0.0, -1e-9, -0.5], requires_grad=True)
    odds = _log_odds(logs)
    odds.sum().backward()
    assert torch.isfinite(odds).all() and logs.grad is not None and torch.isfinite(logs.grad).all()


def test_a_weight_that_means_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="weight cannot be -1"):
        Orpo(weight=-1.0)
