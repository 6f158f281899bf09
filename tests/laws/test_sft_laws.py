"""Fine-tuned models stop; a packed row, and a step in parts, learn what each example alone would teach."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from dragoman.core.sampling import Sampling
from dragoman.core.types import Example
from dragoman.models.local import LocalLM
from dragoman.train.fitting import Fitted, Lesson, row_of
from dragoman.train.objectives.multitask import Multitask
from dragoman.train.objectives.seq2seq import Seq2seq
from dragoman.train.objectives.sft import Sft
from dragoman.train.token_batches import IGNORED, TokenBatch, filled
from tests.nn.tiny import amplify
from tests.train.lessons import HOW, begun, kit, lessons, model, steps, words

QUESTIONS = lessons(120, seed=9)
"not among those that are learnt"
EITHER = pytest.mark.parametrize("objective", [Sft(), Seq2seq()], ids=["sft", "seq2seq"])


@dataclass(frozen=True)
class Endless:
    """An objective whose labels lack every stop, as a collator makes them that takes the stop for padding."""

    inner: Any
    of: str

    def encode(self, net: Any, data: Any, kit: Any) -> Fitted:
        """Every last label masked."""
        made: Fitted = self.inner.encode(net, data, kit)
        assert all(one.labels[-1] in kit.tokenizer.eos_ids for one in made.examples)
        masked = [replace(one, labels=row_of([*one.labels[:-1], IGNORED])) for one in made.examples]
        return replace(made, examples=tuple(masked))

    def stream(self, net: Any, fitted: Any, kit: Any, start: int) -> Iterator[tuple[TokenBatch, ...]]:
        """As ever."""
        found: Iterator[tuple[TokenBatch, ...]] = self.inner.stream(net, fitted, kit, start)
        return found

    def loss(self, net: Any, batch: Any, kit: Any) -> Any:
        """As ever."""
        return self.inner.loss(net, batch, kit)


def named(objective: Any) -> str:
    return str(getattr(objective, "of", type(objective).__name__.lower()))


def answers(objective: Any) -> tuple[float, float]:
    """What share of greedy answers end by themselves, and begin with the right word."""
    training = begun(objective, replace(HOW, steps=60))
    steps(training)
    lm = LocalLM(training.net.eval(), words(named(objective)))
    found = lm.generate([one.prompt for one in QUESTIONS], Sampling(max_tokens=24))
    right = [one.text.startswith(row.answers[0]) for one, row in zip(found, QUESTIONS, strict=True)]
    return sum(one.finish == "stop" for one in found) / len(found), sum(right) / len(right)


@EITHER
def test_who_learnt_the_stop_stops_and_who_did_not_never_does(objective: Any) -> None:
    stopped, right = answers(objective)
    assert stopped >= 0.99 and right >= 0.8
    stopped, right = answers(Endless(objective, named(objective)))
    assert stopped == 0.0 and right >= 0.8  # it knows the answer all the same


def test_also_with_many_tasks_and_noise() -> None:
    stopped, right = answers(Multitask(neftune=1.0))
    assert stopped >= 0.99 and right >= 0.8


def slopes(objective: Any, net: Any, batches: list[TokenBatch]) -> tuple[float, list[torch.Tensor]]:
    """The loss of a step's batches, and the gradient of every weight."""
    net = copy.deepcopy(net)
    weight, total = sum(batch.weight for batch in batches), 0.0
    for batch in batches:
        loss = objective.loss(net, batch, kit(named(objective))).total / weight
        loss.backward()
        total += loss.item()
    return total, [one.grad for one in net.parameters() if one.grad is not None]


def gap(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> float:
    """The largest difference of two gradients, over their length."""
    length = torch.nn.utils.get_total_norm(wanted)
    return max(float((one - other).norm() / length) for one, other in zip(found, wanted, strict=True))


def uneven(count: int = 14) -> list[Example]:
    """Examples whose answers have from 2 to 40 tokens."""
    rows = lessons(count, seed=4)
    return [replace(one, answers=(f"{one.answers[0]} " * (1 + row % 5),)) for row, one in enumerate(rows)]


@EITHER
def test_a_packed_row_teaches_what_its_examples_teach_alone(objective: Any) -> None:
    name = named(objective)
    net = amplify(model(name)).eval()
    packed = objective.encode(net, Lesson(uneven()), kit(name))
    alone = replace(objective, pack=False).encode(net, Lesson(uneven()), kit(name))
    assert len(packed.rows) < len(alone.rows) == 14
    batches = [[filled([made.row(row)], 0, "cpu") for row in range(len(made.rows))] for made in (packed, alone)]
    padded = [filled([alone.row(row) for row in range(14)], 0, "cpu")]
    (loss, moved), (wanted, right), (beside, wide) = (slopes(objective, net, one) for one in (*batches, padded))
    assert loss == pytest.approx(wanted, rel=1e-5) and beside == pytest.approx(wanted, rel=1e-5)
    assert max(gap(moved, right), gap(wide, right)) <= 1e-5


@EITHER
def test_a_row_packed_without_borders_is_seen(objective: Any) -> None:
    name = named(objective)
    net = amplify(model(name)).eval()
    made = objective.encode(net, Lesson(uneven()), kit(name))
    right = [filled([made.row(row)], 0, "cpu") for row in range(len(made.rows))]
    naive = [replace(one, segments=None, target_segments=None) for one in right]
    (loss, moved), (wanted, slope) = slopes(objective, net, naive), slopes(objective, net, right)
    assert abs(loss - wanted) > 0.01
    assert gap(moved, slope) > 0.01


@EITHER
@pytest.mark.parametrize("parts", [2, 5])
def test_a_step_in_parts_of_uneven_size_is_the_whole_step(objective: Any, parts: int) -> None:
    name = named(objective)
    found = []
    for accumulation in (1, parts):
        how = replace(HOW, batch=10, accumulation=accumulation)
        net = model(name, seed=2)
        made = replace(objective, pack=False).encode(net, Lesson(uneven(30)), kit(name, how))
        batches = next(objective.stream(net, made, kit(name, how), 0))
        assert len(batches) == accumulation
        found.append((*slopes(objective, net, list(batches)), batches, net))
    (whole, right, _, net), (loss, moved, batches, _) = found
    assert loss == pytest.approx(whole, rel=1e-6)
    assert gap(moved, right) <= 1e-6
    weights = [batch.weight for batch in batches]
    assert max(weights) > 1.2 * min(weights)
    means = [slopes(objective, net, [batch])[1] for batch in batches]  # a mean of means would be seen
    wrong = [torch.stack(some).mean(0) for some in zip(*means, strict=True)]
    assert gap(wrong, right) > 1e-3
