"""Each step from logits to a token does what its definition says, in the stated order, row by row."""

import numpy as np
import pytest
import torch
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.nn.sampling import (
    Sampler,
    bias,
    frequency_and_presence,
    min_p,
    pick,
    repetition,
    temperature,
    top_k,
    top_p,
    typical,
)

# Six tokens, T=2, top_p=0.8 or min_p=0.2: temperature first and temperature last give different distributions.
CHANCES = torch.tensor([[0.5, 0.25, 0.12, 0.07, 0.04, 0.02]])
NONE: frozenset[int] = frozenset()


def sampler(
    how: Sampling, rows: int = 1, size: int = 6, ends: frozenset[int] = NONE, prompt: tuple[int, ...] = ()
) -> Sampler:
    return Sampler(how, [prompt] * rows, size, ends, "cpu", range(rows))


class Only:
    """A limit that allows the given tokens."""

    def __init__(self, *tokens: int, length: int = 6) -> None:
        self.tokens, self.length, self.done = tokens, length, False
        self.pushed: list[int] = []

    def allowed(self) -> Tensor:
        mask = torch.zeros(self.length, dtype=torch.bool)
        mask[list(self.tokens)] = True
        return mask

    def push(self, token: int) -> None:
        self.pushed.append(token)


def test_temperature_comes_before_top_p() -> None:
    logits = CHANCES.log()
    first = top_p(temperature(logits, 2), 0.8).softmax(-1)
    assert first[0].tolist() == pytest.approx([0.389, 0.275, 0.191, 0.146, 0, 0], abs=5e-4)
    last = temperature(top_p(logits, 0.8), 2).softmax(-1)
    assert last[0].tolist() == pytest.approx([0.455, 0.322, 0.223, 0, 0, 0], abs=5e-4)


def test_temperature_comes_before_min_p() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.12, 0.07, 0.04, 0.02]], dtype=torch.float64).log()  # the sixth is on the edge
    assert int((min_p(temperature(logits, 2), 0.2) > -torch.inf).sum()) == 6
    assert int((temperature(min_p(logits, 0.2), 2) > -torch.inf).sum()) == 3


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Sampling(temperature=2, top_p=0.8), {0, 1, 2, 3}),
        (Sampling(temperature=2, min_p=0.199), {0, 1, 2, 3, 4, 5}),
        (Sampling(temperature=1, min_p=0.199), {0, 1, 2}),
        (Sampling(temperature=1, top_k=2), {0, 1}),
        (Sampling(temperature=1, top_k=5, top_p=0.8), {0, 1, 2}),  # top_p of what top_k left: .5+.25 is 0.77 of it
        (Sampling(temperature=1, top_k=2, typical_p=0.1), {0}),
    ],
)
def test_the_sampler_draws_in_the_stated_order(how: Sampling, expected: set[int]) -> None:
    drawn = sampler(how, rows=3000)
    assert set(drawn.draw(CHANCES.log().expand(3000, -1)).tolist()) == expected


def test_top_k_keeps_what_ties_and_top_p_keeps_one() -> None:
    tied = torch.tensor([[1.0, 2.0, 1.0, 1.0, 0.0]])
    assert (top_k(tied, 2)[0] > -torch.inf).tolist() == [True, True, True, True, False]
    assert (top_k(tied, 99) == tied).all()
    assert int((top_p(tied, 1e-9) > -torch.inf).sum()) == 1


def test_typical_drops_the_too_probable() -> None:
    """With a long flat tail the entropy is high: the most probable token is the surprising one."""
    logits = torch.tensor([[0.3, *[0.7 / 200] * 200]]).log()
    assert float(typical(logits, 0.5)[0, 0]) == -torch.inf


def test_penalties_equal_the_formula() -> None:
    random = np.random.default_rng(0)
    logits, counts = random.normal(size=(50, 40)) * 5, random.integers(0, 5, (50, 40))
    formula = logits - counts * 0.7 - (counts > 0) * -1.3
    computed = frequency_and_presence(torch.tensor(logits), torch.tensor(counts), 0.7, -1.3)
    assert np.abs(computed.numpy() - formula).max() <= 1e-12
    single = frequency_and_presence(torch.tensor(logits).float(), torch.tensor(counts), 0.7, -1.3)
    assert np.abs(single.numpy() - formula).max() <= 4e-6
    ctrl = np.where(counts > 0, np.where(logits < 0, logits * 1.3, logits / 1.3), logits)
    assert np.abs(repetition(torch.tensor(logits), torch.tensor(counts), 1.3).numpy() - ctrl).max() <= 1e-12


def test_penalties_count_what_was_written_and_the_prompt_where_asked() -> None:
    logits = torch.tensor([[3.0, 2.9, 2.8, 0.0, 0.0, 0.0]])
    for how, expected in (
        (Sampling(frequency_penalty=0.15), [0, 1, 0, 2, 1, 0]),
        (Sampling(presence_penalty=1), [0, 1, 2, 0, 0, 0]),
        (Sampling(repetition_penalty=2), [0, 1, 2, 0, 0, 0]),
        (Sampling(presence_penalty=1, penalise_prompt=True), [1, 2, 0, 0, 0, 0]),
        (Sampling(repetition_penalty=2, penalise_prompt=True), [1, 2, 0, 0, 0, 0]),
    ):
        drawn = sampler(how, prompt=(0, 0, 5))
        assert [int(drawn.draw(logits)) for _ in range(6)] == expected, how


def test_bias_and_its_bounds() -> None:
    logits = torch.zeros(2, 6)
    assert bias(logits, {1: 2.0, 5: -3.0})[1].tolist() == [0, 2, 0, 0, 0, -3]
    assert sampler(Sampling(logit_bias={4: 1}), rows=2).draw(logits).tolist() == [4, 4]
    with pytest.raises(UserError, match="names token 6, and the model has 6 tokens"):
        sampler(Sampling(logit_bias={6: 1}))


def test_no_end_before_min_tokens() -> None:
    logits = torch.tensor([[1.0, 0.0, 5.0, 0.0, 4.0, 0.0]])
    drawn = sampler(Sampling(min_tokens=2), ends=frozenset({2, 4}))
    assert [int(drawn.draw(logits)) for _ in range(3)] == [0, 0, 2]


def test_a_limit_holds_and_is_told() -> None:
    limits = [Only(3, 4), Only(1, length=3)]
    drawn = Sampler(Sampling(temperature=1), [[], []], 6, NONE, "cpu", [0, 0], limits)
    for _ in range(50):
        ids = drawn.draw(torch.tensor([[9.0, 8.0, 7.0, 1.0, 1.0, 0.0]] * 2)).tolist()
        assert ids[0] in (3, 4) and ids[1] == 1
    assert limits[1].pushed == [1] * 50 and set(limits[0].pushed) == {3, 4}
    drawn.keep([1])
    assert drawn.draw(torch.zeros(1, 6)).tolist() == [1]


def test_what_is_told_is_the_model_s_own() -> None:
    logits = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    how = Sampling(temperature=5, top_k=3, frequency_penalty=2, logit_bias={0: 90}, logprobs=2)
    drawn = sampler(how, rows=3)
    before = logits.clone()
    ids = drawn.draw(logits)
    assert torch.equal(logits, before)
    assert drawn.told is not None
    own, top, told = drawn.told
    assert torch.equal(own, logits.log_softmax(-1).gather(1, ids[:, None])[:, 0])
    assert torch.equal(top, logits.topk(2).indices)
    assert torch.equal(told, logits.log_softmax(-1).topk(2).values)


@pytest.mark.parametrize("how", [Sampling(), Sampling(temperature=1), Sampling(temperature=1, top_k=2, top_p=0.5)])
def test_broken_logits_name_their_row(how: Sampling) -> None:
    for broken in (torch.nan, -torch.inf):
        logits = torch.zeros(3, 800)
        logits[1] = broken
        with pytest.raises(ValueError, match="row 1 of the batch"):
            sampler(how, rows=3, size=800).draw(logits)
    logits = torch.zeros(3, 800)
    logits[2, 5] = torch.nan
    with pytest.raises(ValueError, match="row 2 of the batch"):
        sampler(how, rows=3, size=800).draw(logits)


def test_the_ends_of_the_draw_are_possible_tokens() -> None:
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]] * 3)
    assert pick(logits, torch.tensor([0.0, 0.5, 1 - 2**-53], dtype=torch.float64)).tolist() == [1, 3, 3]


def test_half_precision_logits_are_drawn_in_full() -> None:
    logits = torch.randn(2, 6, generator=torch.Generator().manual_seed(1)).bfloat16()
    assert torch.equal(sampler(Sampling(), rows=2).draw(logits), logits.float().argmax(-1))
