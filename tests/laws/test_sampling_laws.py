"""What holds for every draw: the stated distribution, greedy in the limit, and a row's own luck whatever its batch."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from dragoman.core.sampling import Sampling
from dragoman.nn.sampling import Sampler, min_p, temperature, top_k, top_p, typical

DRAWS = 100_000
NONE: frozenset[int] = frozenset()


def expected(logits: Tensor, how: Sampling) -> np.ndarray:
    """The probabilities a setting stands for, by the pure functions in the stated order."""
    logits = temperature(logits, how.temperature)
    logits = top_k(logits, how.top_k) if how.top_k else logits
    logits = top_p(logits, how.top_p) if how.top_p < 1 else logits
    logits = min_p(logits, how.min_p) if how.min_p else logits
    logits = typical(logits, how.typical_p) if how.typical_p < 1 else logits
    return logits.double().softmax(-1)[0].numpy()


@pytest.mark.parametrize(
    "how",
    [
        Sampling(temperature=1),
        Sampling(temperature=0.6, seed=1),
        Sampling(temperature=2, top_p=0.8, seed=2),
        Sampling(temperature=1, top_k=7, seed=3),
        Sampling(temperature=1.5, top_k=20, min_p=0.1, seed=4),
        Sampling(temperature=1, typical_p=0.7, seed=5),
    ],
    ids=str,
)
def test_draws_follow_the_distribution(how: Sampling) -> None:
    logits = torch.randn(1, 40, generator=torch.Generator().manual_seed(0)) * 2
    sampler = Sampler(how, [[]] * 1000, 40, NONE, "cpu", range(1000))
    drawn = torch.cat([sampler.draw(logits.expand(1000, -1)) for _ in range(DRAWS // 1000)])
    counts, chances = np.bincount(drawn.numpy(), minlength=40), expected(logits, how)
    assert not counts[chances == 0].any()
    seen = chances * DRAWS >= 5  # below that the statistic is not chi-square: those cells are one
    observed = np.append(counts[seen], counts[~seen].sum())
    wanted = np.append(chances[seen], chances[~seen].sum()) * DRAWS
    real = wanted > 0
    assert stats.chisquare(observed[real], wanted[real]).pvalue > 1e-3


def test_a_temperature_near_zero_is_greedy() -> None:
    logits = 1e4 * torch.randn(2000, 300, generator=torch.Generator().manual_seed(1))
    greedy = Sampler(Sampling(), [[]] * 2000, 300, NONE, "cpu", range(2000)).draw(logits)
    cold = Sampler(Sampling(temperature=0.01), [[]] * 2000, 300, NONE, "cpu", range(2000)).draw(logits)
    assert torch.equal(greedy, logits.argmax(-1))
    assert torch.equal(cold, greedy)


@pytest.mark.parametrize(
    "how", [Sampling(temperature=1, n=4, seed=9), Sampling(temperature=1, top_k=8, top_p=0.9, n=4)]
)
def test_a_row_s_draws_do_not_depend_on_its_batch(how: Sampling) -> None:
    """Alone, or among others that come and go: the same tokens."""
    steps = torch.randn(30, 12, 900, generator=torch.Generator().manual_seed(2))
    offsets = [row % 4 for row in range(12)]
    alone = [Sampler(how, [[]], 900, NONE, "cpu", [offset]) for offset in offsets]
    solo = [[int(sampler.draw(step[row : row + 1])) for step in steps] for row, sampler in enumerate(alone)]
    left, together = list(range(12)), Sampler(how, [[]] * 12, 900, NONE, "cpu", offsets)
    for number, step in enumerate(steps):
        assert together.draw(step[left]).tolist() == [solo[row][number] for row in left]
        if number % 3 == 2 and len(left) > 1:
            gone = number % len(left)
            together.keep([place for place in range(len(left)) if place != gone])
            del left[gone]


def test_penalties_survive_rows_that_leave() -> None:
    how = Sampling(presence_penalty=2, repetition_penalty=1.1, penalise_prompt=True)
    logits = torch.tensor([[3.0, 2.0, 1.5, 1.2]] * 2)
    both = Sampler(how, [[1], [0, 0]], 4, NONE, "cpu", [0, 0])
    assert both.draw(logits).tolist() == [0, 1]
    both.keep([1])
    assert both.draw(logits[:1]).tolist() == [2]


def test_answers_differ_and_repeat() -> None:
    """n answers to one prompt differ from each other, and each is the same the next time."""
    logits = torch.zeros(128, 5000)
    how = Sampling(temperature=1, n=128, seed=2**63 - 1)
    first, again = (Sampler(how, [[]] * 128, 5000, NONE, "cpu", range(128)) for _ in range(2))
    rows = [tuple(row) for row in torch.stack([first.draw(logits) for _ in range(4)], 1).tolist()]
    assert len(set(rows)) == 128
    assert rows == [tuple(row) for row in torch.stack([again.draw(logits) for _ in range(4)], 1).tolist()]
    other = Sampler(Sampling(temperature=1, n=128), [[]] * 128, 5000, NONE, "cpu", range(128))
    assert not torch.equal(other.draw(logits), torch.tensor([row[0] for row in rows]))
