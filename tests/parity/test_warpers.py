"""Each warper equals transformers' own on 1,000 random rows: the same tokens dropped, the others bit for bit."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers.generation import logits_process as theirs

from dragoman.core.sampling import Sampling
from dragoman.nn.sampling import (
    Sampler,
    min_p,
    pick,
    repetition,
    temperature,
    top_k,
    top_p,
    typical,
)

ROWS = 1000


def rows(size: int, ties: bool) -> Tensor:
    """Random logits from flat to sharp; with ties they lie on a coarse grid and some are impossible."""
    random = torch.Generator().manual_seed(size + ties)
    logits = torch.randn(ROWS, size, generator=random) * torch.linspace(0.1, 8, ROWS)[:, None]
    if ties:
        logits = (logits * 2).round() / 2
        gone = torch.rand(ROWS, size, generator=random) < 0.1
        gone[:, 0] = False
        logits = logits.masked_fill(gone, -torch.inf)
    return logits


Ours = Callable[[Tensor, float], Tensor]
PAIRS: list[tuple[str, Ours, Callable[..., Callable[..., Tensor]], tuple[float, ...]]] = [
    ("temperature", temperature, theirs.TemperatureLogitsWarper, (0.1, 0.7, 1.0, 1.3, 5.0)),
    ("top_k", lambda z, k: top_k(z, int(k)), lambda k: theirs.TopKLogitsWarper(int(k)), (1, 2, 7, 40, 10_000)),
    ("top_p", top_p, theirs.TopPLogitsWarper, (0.01, 0.3, 0.5, 0.9, 0.95, 0.999)),
    ("min_p", min_p, theirs.MinPLogitsWarper, (0.01, 0.05, 0.1, 0.5, 1.0)),
    ("typical", typical, theirs.TypicalLogitsWarper, (0.01, 0.2, 0.5, 0.9, 0.99)),
]


@pytest.mark.parametrize("ties", [False, True], ids=["smooth", "ties"])
@pytest.mark.parametrize("size", [7, 200, 2003])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0])
def test_warper(
    pair: tuple[str, Ours, Callable[..., Callable[..., Tensor]], tuple[float, ...]], size: int, ties: bool
) -> None:
    _, ours, warper, values = pair
    logits = rows(size, ties)
    for value in values:
        expected = warper(value)(None, logits)
        assert torch.equal(ours(logits, value), expected), value


def test_repetition_over_prompt_and_answer() -> None:
    logits = rows(50, ties=False)
    ids = torch.randint(0, 50, (ROWS, 9), generator=torch.Generator().manual_seed(3))
    counts = torch.zeros(ROWS, 50, dtype=torch.long).scatter_add_(1, ids, torch.ones_like(ids))
    expected = theirs.RepetitionPenaltyLogitsProcessor(1.3)(ids, logits)
    assert torch.equal(repetition(logits, counts, 1.3), expected)


@pytest.mark.parametrize("ties", [False, True], ids=["smooth", "ties"])
@pytest.mark.parametrize(
    "how",
    [
        Sampling(temperature=0.8, top_k=5),
        Sampling(temperature=1.2, top_k=40, top_p=0.9),
        Sampling(temperature=1, top_k=50, min_p=0.05),
        Sampling(temperature=1, top_k=20, typical_p=0.6),
        Sampling(temperature=1, top_p=0.9, min_p=0.02, typical_p=0.9),
    ],
    ids=str,
)
def test_the_sampler_draws_among_what_the_whole_chain_leaves(how: Sampling, ties: bool) -> None:
    """The short way through a small top_k gives the token that sorting the whole vocabulary gives."""
    logits = rows(2003, ties)
    chain = theirs.TemperatureLogitsWarper(float(how.temperature))(None, logits)
    if how.top_k:
        chain = theirs.TopKLogitsWarper(how.top_k)(None, chain)
    for warper, value, off in (
        (theirs.TopPLogitsWarper, how.top_p, 1),
        (theirs.MinPLogitsWarper, how.min_p, 0),
        (theirs.TypicalLogitsWarper, how.typical_p, 1),
    ):
        chain = warper(value)(None, chain) if value != off else chain
    sampler = Sampler(how, [[]] * ROWS, 2003, frozenset(), "cpu", range(ROWS))
    again = Sampler(how, [[]] * ROWS, 2003, frozenset(), "cpu", range(ROWS))
    uniforms = torch.tensor([one.random() for one in again._random], dtype=torch.float64)
    assert torch.equal(sampler.draw(logits), pick(chain, uniforms))
