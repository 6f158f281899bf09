"""The reward objective: Bradley and Terry's loss and gradient, margins, centring, parts, a kill, what it learns."""

import copy
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import torch
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.core.types import Example
from dragoman.nn.decoder import Decoder
from dragoman.nn.encoder import fresh_encoder, initialise
from dragoman.nn.heads import Head, TokenHead
from dragoman.nn.scorer import Scorer
from dragoman.nn.tokenizer import Tokenizer
from dragoman.train import checkpoint
from dragoman.train.doors import Kit
from dragoman.train.fitting import Lesson
from dragoman.train.loop import Training, begin
from dragoman.train.objectives.reward import Reward
from dragoman.train.tuning.full import Full
from dragoman.train.tuning.lora import Lora
from tests.nn.tiny import ARCHES, tokenizer
from tests.train.lessons import HOW, model, steps, words
from tests.train.preferences import pairs

CALM = replace(HOW, rate=1e-3, batch=6, steps=12)
SMALL = replace(ARCHES["bert"], width=16, layers=2, feed_forward=32, positions=96, initial_std=0.2)


@cache
def pieces() -> Tokenizer:
    return tokenizer("bert", Path(mkdtemp()))


def scorer(kind: str, dropout: float = 0.0) -> Scorer:
    """A scorer that has learnt nothing."""
    if kind == "bert":
        arch = replace(SMALL, dropout=dropout, attention_dropout=dropout, head_dropout=dropout)
        net = Scorer(fresh_encoder(arch, 1), Head(arch, 1))
    else:
        body = model()
        assert isinstance(body, Decoder)
        net = Scorer(body, TokenHead(body.arch, 1))
    initialise(net.head, 0.1, 2)
    return net.eval()


def tokens_of(kind: str) -> Tokenizer:
    return pieces() if kind == "bert" else words()


def graded(count: int = 24) -> list[Example]:
    """Pairs that say by how much one answer is better."""
    return [
        replace(one, meta={**one.meta, "margin": 0.25 * place, "id": str(place)})
        for place, one in enumerate(pairs(count))
    ]


def begun(kind: str, objective: Reward, how: Any = CALM, tuning: Any = None, dropout: float = 0.0) -> Training:
    """A training before its first step."""
    return begin(scorer(kind, dropout), tokens_of(kind), objective, tuning or Full(), Lesson(graded()), how)


def scores(net: Any, batch: Any) -> tuple[Tensor, Tensor]:
    """Each row alone, without padding or types that could be wrong for all."""
    found = []
    for place in range(len(batch.ids)):
        long = len(batch.ids[0]) if batch.mask is None else int(batch.mask[place].sum())
        kinds = None if batch.types is None else batch.types[place : place + 1, :long]
        found.append(net(batch.ids[place : place + 1, :long], None, kinds))
    chosen, rejected = torch.cat(found).chunk(2)
    return chosen, rejected


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize(("margin", "centring"), [(False, 0.0), (True, 0.0), (False, 0.3), (True, 0.3)])
def test_loss_and_gradient_are_bradley_and_terrys_in_float64(kind: str, margin: bool, centring: float) -> None:
    objective, net, kit = Reward(margin, centring), scorer(kind).double(), Kit(CALM, tokens_of(kind))
    batch = objective.encode(net, Lesson(graded(5)), kit).rank_batch([4, 1, 3], kit)
    weights = [weight for weight in net.parameters() if weight.requires_grad]
    loss = objective.loss(net, batch, kit)
    own = torch.autograd.grad(loss.total, weights, allow_unused=True)
    chosen, rejected = scores(net, batch)
    total = float(loss.total.detach())
    wanted = torch.tensor([1.0, 0.25, 0.75]).double() if margin else torch.zeros(3).double()
    apart, both = (chosen - rejected - wanted).detach(), (chosen + rejected).detach()
    by_formula = sum(math.log1p(math.exp(-float(one))) for one in apart) + centring * float((both**2).sum())
    assert total == pytest.approx(by_formula, rel=1e-10)
    doubt = 1 / (1 + apart.exp())  # how probable the other choice seems
    pulled = (-doubt + 2 * centring * both) * chosen + (doubt + 2 * centring * both) * rejected
    by_hand = torch.autograd.grad(pulled.sum(), weights, allow_unused=True)
    felt = 0
    for one, other in zip(own, by_hand, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert torch.allclose(one, other, rtol=1e-8, atol=1e-11)
            felt += bool(one.any())
    assert felt > len(weights) / 2
    assert float(loss.told["margin"]) == pytest.approx(float((chosen - rejected).sum().detach()), rel=1e-10)
    assert float(loss.told["accuracy"]) == float((chosen > rejected).sum())


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_before_the_first_step_the_loss_is_about_ln_2(kind: str) -> None:
    first = steps(begun(kind, Reward(centring=0.0)), 1)[0]
    assert first.loss == pytest.approx(math.log(2), abs=0.1)


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_a_step_in_parts_learns_the_same(kind: str) -> None:
    told = [begun(kind, Reward(margin=True), replace(CALM, accumulation=parts)) for parts in (1, 2, 3)]
    whole, *cut = (steps(one, 4) for one in told)
    for part in cut:
        for one, other in zip(whole, part, strict=True):
            assert one.loss == pytest.approx(other.loss, abs=1e-5) and one.examples == other.examples
            assert one.figures == pytest.approx(other.figures, abs=1e-4) and one.chain == other.chain


@pytest.mark.parametrize("tuning", [Full(), Lora(rank=2, dropout=0.1)], ids=["full", "lora"])
@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_a_killed_run_ends_with_the_same_bits(kind: str, tuning: Any, tmp_path: Path) -> None:
    """Killed within the second epoch, dropout included."""
    given: dict[str, Any] = {"tuning": tuning, "dropout": 0.1}
    whole = begun(kind, Reward(), **given)
    losses = [step.loss for step in steps(whole)]
    first = begun(kind, Reward(), **given)
    before = [step.loss for step in steps(first, 6)]
    path = checkpoint.save(tmp_path, first, {})
    torch.manual_seed(99)  # another process has other random numbers
    again = begun(kind, Reward(), **given)
    checkpoint.restore(path, again, print)
    assert before + [step.loss for step in steps(again)] == losses
    assert again.chain == whole.chain
    for one, other in zip(whole.net.parameters(), again.net.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_what_was_chosen_scores_higher_afterwards(kind: str) -> None:
    taken = steps(begun(kind, Reward(), replace(CALM, rate=4e-3, steps=60)))
    assert sum(step.figures["accuracy"] for step in taken[-4:]) / 4 > 0.95
    assert sum(step.loss for step in taken[-4:]) / 4 < 0.3 < taken[0].loss


def test_centring_holds_the_scores_near_0() -> None:
    found = []
    for centring in (0.0, 0.1):
        training = begun("bert", Reward(centring=centring), replace(CALM, rate=1e-2, steps=20))
        with torch.no_grad():
            training.net.head.out.bias.fill_(5.0)  # Bradley and Terry's loss does not feel it
        steps(training)
        net = copy.deepcopy(training.net).eval()
        kit = Kit(CALM, pieces())
        batch = Reward().encode(net, Lesson(graded()), kit).rank_batch(range(24), kit)
        with torch.no_grad():
            found.append(float(net(batch.ids, batch.mask, batch.types).mean()))
    assert abs(found[1]) < 0.75 * abs(found[0])


def test_a_margin_is_taken_from_the_data_where_it_is_asked_for() -> None:
    plain, wide = (steps(begun("bert", Reward(margin=asked, centring=0.0)), 1)[0].loss for asked in (False, True))
    assert wide > plain + 0.5


@pytest.mark.parametrize("centring", [-0.1, float("inf"), float("nan")])
def test_settings_that_mean_nothing_are_refused(centring: float) -> None:
    with pytest.raises(UserError, match="centring cannot be") as caught:
        Reward(centring=centring)
    assert "objective.centring" in caught.value.hint


def test_data_without_a_pair_is_refused() -> None:
    alone = [replace(one, rejected="") for one in pairs(3)]
    with pytest.raises(UserError, match="none is a pair"):
        Reward().encode(scorer("bert"), Lesson(alone), Kit(CALM, pieces()))
