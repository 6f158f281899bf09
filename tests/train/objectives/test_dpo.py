"""Direct preference optimisation: where it begins, its gradient, whose log-probs, and what it learns."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.train.fitting import Lesson
from dragoman.train.objectives.dpo import Dpo
from dragoman.train.tuning.lora import Lora
from dragoman.train.word_logs import row_sums, word_logs
from tests.train.lessons import HOW, kit, model, steps, words
from tests.train.preferences import begun_with, pairs

CALM = replace(HOW, rate=1e-3, batch=6, steps=30)


@pytest.mark.parametrize("tuning", [None, Lora()], ids=["full", "lora"])
def test_before_the_first_step_the_loss_is_ln_2_and_no_margin_is_there(tuning: Lora | None) -> None:
    first = steps(begun_with(Dpo(), how=CALM, tuning=tuning), 1)[0]
    assert first.loss == pytest.approx(math.log(2), abs=1e-6)
    assert first.figures["margin"] == pytest.approx(0.0, abs=1e-6)
    assert first.figures["chosen"] == pytest.approx(0.0, abs=1e-6)


def test_before_the_first_step_ipo_wants_one_half_by_beta() -> None:
    assert steps(begun_with(Dpo(kind="ipo", beta=0.5), how=CALM), 1)[0].loss == pytest.approx(1.0, abs=1e-5)


def test_its_gradient_is_that_of_the_two_answers_weighed_by_how_wrong_it_is() -> None:
    objective, net = Dpo(beta=0.3), model().double().eval()
    given = kit(how=CALM)
    batch = objective.encode(net, Lesson(pairs(3)), given).pair_batch([0, 1, 2], given)
    moved = replace(batch, reference=torch.tensor([-2.0, -3.0, -1.0, -1.5, -2.5, -2.0]).double())
    weights = list(net.parameters())
    own = torch.autograd.grad(objective.loss(net, moved, given).total, weights)
    rows = moved.rows
    logs = row_sums(net, rows.ids, rows.labels, rows.segments)
    apart = (logs - moved.reference).detach()
    wrong = torch.sigmoid(-0.3 * (apart[:3] - apart[3:]))
    by_hand = torch.autograd.grad(-(0.3 * wrong * (logs[:3] - logs[3:])).sum(), weights)
    for one, other in zip(own, by_hand, strict=True):
        assert torch.allclose(one, other, atol=1e-9)


def test_log_probs_are_summed_over_the_answer_and_its_stop_and_hold_nothing_of_the_prompt() -> None:
    objective, net, given = Dpo(), model().eval(), kit(how=CALM)
    found = objective.encode(net, Lesson(pairs(1)), given)
    tokenizer = words()
    for side, text in enumerate((pairs(1)[0].answers[0], pairs(1)[0].rejected)):
        prompt = tokenizer.dialogue(list(pairs(1)[0].prompt))
        answer = [*tokenizer.plain([text])[0], min(tokenizer.eos_ids)]
        logs = net(torch.tensor([[*prompt, *answer]]))[0].log_softmax(-1).detach()
        alone = sum(float(logs[len(prompt) - 1 + place, token]) for place, token in enumerate(answer))
        assert float(found.reference[0, side]) == pytest.approx(alone, abs=1e-4)


def test_what_is_likelier_afterwards_is_what_was_chosen() -> None:
    taken = steps(begun_with(Dpo(beta=0.5), how=replace(CALM, rate=3e-3, steps=40)))
    assert taken[-1].figures["accuracy"] == 1.0
    assert taken[-1].loss < 0.3 < taken[0].loss


def test_the_reference_does_not_learn() -> None:
    training = begun_with(Dpo(), how=CALM)
    held = training.encoded.reference.clone()  # type: ignore[attr-defined]
    steps(training, 5)
    assert torch.equal(training.encoded.reference, held)  # type: ignore[attr-defined]


def test_a_step_in_parts_learns_the_same() -> None:
    whole, cut = (steps(begun_with(Dpo(), how=replace(CALM, accumulation=parts)), 4) for parts in (1, 3))
    for one, other in zip(whole, cut, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-6) and one.examples == other.examples
        assert one.figures == pytest.approx(other.figures, abs=1e-5)


def test_equal_blank_and_endless_answers_are_left_out_and_counted() -> None:
    asked = (Message("user", "a"),)
    rows = [*pairs(2), Example(asked, ("x",), "x"), Example(asked, ("x",), ""), Example(asked, ("x" * 200,), "y")]
    found = Dpo().encode(model(), Lesson(rows), kit(how=CALM))
    assert len(found.pairs) == 2 and found.dropped == 3
    with pytest.raises(UserError, match="none is a pair"):
        Dpo().encode(model(), Lesson(rows[2:]), kit(how=CALM))


def test_a_long_prompt_loses_its_beginning_and_no_answer_a_word() -> None:
    row = Example((Message("user", "x" * 150),), ("ant",), "bee")
    found = Dpo().encode(model(), Lesson([row]), kit(how=CALM))
    assert found.cut == 1
    end = min(words().eos_ids)
    for one in found.pairs[0]:
        assert len(one.ids) <= CALM.max_length and one.labels[-1] == end


def test_smoothing_takes_a_share_the_other_way_round() -> None:
    margins = torch.tensor([2.0, -1.0])
    plain, turned = (Dpo(beta=1)._apart(sign * margins) for sign in (1, -1))
    assert torch.allclose(Dpo(beta=1, smoothing=0.2)._apart(margins), 0.8 * plain + 0.2 * turned)


@pytest.mark.parametrize("wrong", [{"beta": 0.0}, {"smoothing": 0.5}, {"sft": -1.0}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError):
        Dpo(**wrong)  # type: ignore[arg-type]


def test_log_probs_in_chunks_are_those_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    net = model().double()
    ids = torch.randint(3, 200, (3, 9))
    labels = ids.roll(-1, 1).masked_fill(torch.rand(3, 9) < 0.3, -100)
    found = []
    for size in (10**6, 4):
        monkeypatch.setattr("dragoman.train.word_logs.chunk_size", lambda tokens, words, size=size: size)
        other = copy.deepcopy(net)
        logs, spread = word_logs(other, other.states(ids), labels, 0.7)
        (logs.sum() + spread.sum()).backward()
        found.append((logs.detach(), spread.detach(), other.head.weight.grad))
    for one, two in zip(*found, strict=True):
        assert torch.allclose(one, two, atol=1e-10)
