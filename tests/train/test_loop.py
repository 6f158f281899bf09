"""The loop takes one step at a time, learns, and hands everything it did to its caller."""

from dataclasses import replace

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.train.fitting import Lesson
from dragoman.train.loop import begin, fit
from dragoman.train.objectives.classify import Classify
from dragoman.train.objectives.sft import Sft
from dragoman.train.tuning.full import Full
from dragoman.train.tuning.head import Head
from dragoman.train.tuning.layers import Layers
from dragoman.train.tuning.prefix import Prefix
from dragoman.train.tuning.soft_prompt import SoftPrompt
from tests.train import lessons
from tests.train.small import HOW, STILL, Words, accuracy, begun, examples, net, steps


def test_it_learns() -> None:
    training = begun(how=replace(HOW, epochs=5), model=net(STILL), rows=examples(96))
    losses = [step.loss for step in steps(training)]
    assert sum(losses[-6:]) < 0.3 * sum(losses[:6])
    assert accuracy(training.net.eval())["accuracy"] > 0.9


def test_a_step_says_what_it_did() -> None:
    training = begun()
    found = steps(training)
    assert len(found) == training.steps == 15
    assert [step.number for step in found] == list(range(1, 16))
    assert found[4].epoch == 1.0
    assert sorted(name for step in found[:5] for name in step.examples) == sorted(f"e{row}" for row in range(40))
    assert sum(step.tokens for step in found[:5]) == sum(len(ids) for ids in training.encoded.ids)
    assert found[-1].chain == training.chain
    assert max(step.rate for step in found) == pytest.approx(HOW.rate)
    assert all(step.norm > 0 for step in found)


def test_the_caller_may_stop_and_go_on() -> None:
    whole, parted = begun(), begun()
    first = steps(whole)
    torch.manual_seed(HOW.seed)
    second = steps(parted, 4)
    second += steps(parted, 5)
    second += steps(parted)
    assert [step.loss for step in first] == [step.loss for step in second]
    assert list(fit(whole)) == []


@pytest.mark.parametrize(("epochs", "count"), [(1, 5), (0.5, 3), (2.4, 12), (0.01, 1)])
def test_epochs_may_be_parts(epochs: float, count: int) -> None:
    assert begun(how=replace(HOW, epochs=epochs)).steps == count


def test_clipping_limits_the_step() -> None:
    free, tied = (begun(how=replace(HOW, clip=clip), model=net(STILL)) for clip in (0.0, 0.01))
    assert steps(free, 1)[0].norm == pytest.approx(steps(tied, 1)[0].norm)
    slopes = [weight.grad for weight in tied.weights.values() if weight.grad is not None]
    assert torch.nn.utils.get_total_norm(slopes).item() == pytest.approx(0.01, rel=1e-4)


def test_gradual_unfreezing_keeps_the_state_of_what_learns_already() -> None:
    """ULMFiT's schedule: the head at once, the top block after one epoch, the next after two."""
    training = begun(Layers(top=2, gradual=1.0))
    before = {name: weight.detach().clone() for name, weight in training.weights.items()}

    def moved(name: str) -> bool:
        return not torch.equal(training.weights[name], before[name])

    head, top, lower = (
        "head.out.weight",
        "encoder.blocks.2.feed_forward.up.weight",
        "encoder.blocks.1.attention.key.weight",
    )
    steps(training, 5)
    assert (moved(head), moved(top), moved(lower)) == (True, False, False)
    kept = {key: value.clone() for key, value in training.optimisers[0].state[training.weights[head]].items()}
    steps(training, 1)
    assert (moved(head), moved(top), moved(lower)) == (True, True, False)
    state = training.optimisers[0].state
    assert state[training.weights[head]]["step"].item() == kept["step"].item() + 1 == 6
    assert torch.allclose(
        state[training.weights[head]]["exp_avg_sq"],
        0.999 * kept["exp_avg_sq"] + 0.001 * training.weights[head].grad.square(),  # type: ignore[union-attr]
    )
    assert state[training.weights[top]]["step"].item() == 1
    steps(training, 5)
    assert (moved(head), moved(top), moved(lower)) == (True, True, True)
    assert state[training.weights[lower]]["step"].item() == 1


def test_a_head_alone_never_runs_the_encoder_again() -> None:
    training = begun(Head())
    calls = []
    training.net.encoder.blocks[0].register_forward_hook(lambda *_: calls.append(1))
    steps(training)
    assert len(calls) == 2  # 40 texts in two batches, once


def test_the_frozen_part_keeps_no_gradient() -> None:
    training = begun(Layers(top=1))
    held = []
    for block in training.working.net.encoder.blocks:
        block.register_forward_hook(lambda module, given, said: held.append(said.requires_grad))
    steps(training, 1)
    assert held == [False, False, True]


@pytest.mark.parametrize(
    ("change", "said"),
    [({"max_length": 99}, "max_length is 99 tokens"), ({"device": "tpu9"}, "no device named 'tpu9'")],
)
def test_settings_that_do_not_go_with_the_net(change: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        begun(how=replace(HOW, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("tuning", [SoftPrompt(tokens=4), Prefix(tokens=4)])
def test_positions_that_a_tuning_takes_are_missed_before_the_first_step(tuning: SoftPrompt | Prefix) -> None:
    """A row as long as the model reads would fail at the step that it comes to, hours later."""
    lesson, how = Lesson(lessons.lessons(6)), replace(lessons.HOW, max_length=96)
    with pytest.raises(UserError, match="positions for 92 behind the 4 places that the tuning takes") as caught:
        begin(lessons.model(), lessons.words(), Sft(), tuning, lesson, how)
    assert caught.value.hint.startswith("read less: train.max_length=92,")
    short = begin(lessons.model(), lessons.words(), Sft(), tuning, lesson, replace(how, max_length=92))
    assert next(iter(fit(short))).number == 1


def test_a_net_that_is_not_finite_is_refused() -> None:
    model = net()
    model.head.dense.weight.data[0, 0] = float("nan")
    with pytest.raises(UserError, match=r"head\.dense\.weight is not finite"):
        begin(model, Words(), Classify(), Full(), examples(), HOW)


def test_the_seed_decides() -> None:
    losses = [[step.loss for step in steps(begun(how=replace(HOW, seed=seed)), 3)] for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]
