"""Thumbs up and down: where KTO begins, its loss and gradient, the strangers, and what it learns."""

from dataclasses import replace

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.types import Example
from dragoman.train.fitting import Lesson
from dragoman.train.objectives.kto import Kto
from dragoman.train.tuning.lora import Lora
from tests.train.lessons import HOW, kit, model, steps
from tests.train.preferences import begun_with, pairs

CALM = replace(HOW, rate=1e-3, batch=6, steps=30)


def thumbs(count: int = 24) -> list[Example]:
    """Of each pair one answer alone, the right and the wrong one in turns."""
    found = []
    for place, one in enumerate(pairs(count)):
        text = one.answers[0] if place % 2 else one.rejected
        found.append(Example(one.prompt, (text,), meta={"id": f"t{place}", "good": bool(place % 2)}))
    return found


@pytest.mark.parametrize("tuning", [None, Lora()], ids=["full", "lora"])
def test_before_the_first_step_every_loss_is_half_its_weight(tuning: Lora | None) -> None:
    first = steps(begun_with(Kto(liked=1.0, disliked=3.0), data=thumbs(6), how=CALM, tuning=tuning), 1)[0]
    assert first.loss == pytest.approx((0.5 + 1.5) / 2, abs=1e-6)
    assert first.figures["moved"] == pytest.approx(0.0, abs=1e-5)


def test_loss_and_gradient_are_the_formula() -> None:
    objective, net, given = Kto(beta=0.3, liked=1.0, disliked=1.5), model().double().eval(), kit(how=CALM)
    feedback = objective.encode(net, Lesson(thumbs(4)), given)
    moved = torch.tensor(0.7, dtype=torch.float64)
    batch = feedback.liked_batch([0, 1, 2, 3], moved, given)
    batch = replace(batch, reference=torch.tensor([-2.0, -3.0, -1.0, -1.5]).double())
    found = objective.loss(net, batch, given)
    total = torch.zeros((), dtype=torch.float64)
    for row, (ids, labels) in enumerate(zip(batch.rows.ids, batch.rows.labels, strict=True)):
        kept = labels != -100
        gained = net(ids[None])[0].log_softmax(-1)[kept, labels[kept]].sum() - batch.reference[row]
        value = torch.sigmoid(0.3 * (gained - 0.7)) if row % 2 else torch.sigmoid(0.3 * (0.7 - gained))
        total = total + (1.0 if row % 2 else 1.5) * (1 - value)
    assert found.total.item() == pytest.approx(total.item(), abs=1e-9)
    weights = list(net.parameters())
    own, by_hand = (torch.autograd.grad(one, weights) for one in (found.total, total))
    assert all(torch.allclose(one, other, atol=1e-9) for one, other in zip(own, by_hand, strict=True))


def test_what_is_liked_becomes_likelier_and_the_rest_unlikelier() -> None:
    training = begun_with(Kto(beta=0.5), data=thumbs(), how=replace(CALM, rate=3e-3, steps=60))
    taken = steps(training)
    assert taken[-1].figures["accuracy"] == 1.0 and taken[-1].loss < 0.35 < taken[0].loss


def test_a_step_in_parts_learns_the_same() -> None:
    how = replace(CALM, rate=3e-3)
    whole, cut = (steps(begun_with(Kto(), data=thumbs(), how=replace(how, accumulation=parts)), 6) for parts in (1, 3))
    for one, other in zip(whole, cut, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-6)
        assert one.figures == pytest.approx(other.figures, abs=1e-5)


@pytest.mark.parametrize("wrong", [{"beta": 0.0}, {"liked": -1.0}, {"disliked": float("inf")}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError):
        Kto(**wrong)
