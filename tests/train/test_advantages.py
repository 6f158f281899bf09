"""Whitening, GAE, leave-one-out, groups and the KL, each against its definition or a number worked out by hand."""

import pytest
import torch

from dragoman.train.advantages import (
    adapted_weight,
    estimate_kl,
    gae,
    group_advantages,
    leave_one_out,
    likelihood_so_far,
    place_scores,
    whiten,
)

ALL = torch.ones(3, 3, dtype=torch.bool)


def test_whitening_divides_by_the_variance_of_the_population() -> None:
    rewards = torch.tensor([[1.2, 1.3, 1.4], [1.5, 1.6, 1.7], [1.8, 1.9, 2.0]])
    white = whiten(rewards, ALL, shift=False)
    assert white[0].tolist() == pytest.approx([0.0508, 0.4381, 0.8254], abs=2e-4)
    assert float(whiten(rewards, ALL).mean()) == pytest.approx(0.0, abs=1e-6)


def test_what_was_not_drawn_counts_in_no_mean() -> None:
    values = torch.tensor([[1.0, 2.0, 3.0, 99.0]])
    mask = torch.tensor([[True, True, True, False]])
    assert whiten(values, mask)[0, :3].tolist() == pytest.approx(whiten(values[:, :3], mask[:, :3])[0].tolist())
    assert float(whiten(values, mask)[0, 3]) == 0.0


def test_gae_is_the_sum_over_all_later_surprises() -> None:
    dice = torch.Generator().manual_seed(0)
    rewards, values = (torch.randn(4, 7, generator=dice, dtype=torch.float64) for _ in range(2))
    mask = torch.zeros(4, 7, dtype=torch.bool)
    for row, (first, last) in enumerate([(0, 7), (2, 6), (3, 4), (1, 7)]):
        mask[row, first:last] = True
    rewards, gamma, decay = rewards * mask, 0.9, 0.8
    found, returns = gae(rewards, values, mask, gamma, decay)
    for row in range(4):
        places = mask[row].nonzero()[:, 0].tolist()
        for start, place in enumerate(places):
            total = 0.0
            for ahead, later in enumerate(places[start:]):
                after = float(values[row, later + 1]) if later + 1 in places else 0.0
                surprise = float(rewards[row, later]) + gamma * after - float(values[row, later])
                total += (gamma * decay) ** ahead * surprise
            assert float(found[row, place]) == pytest.approx(total, abs=1e-10)
            assert float(returns[row, place]) == pytest.approx(total + float(values[row, place]), abs=1e-10)
    assert not bool(found[~mask].any()) and not bool(returns[~mask].any())


def test_a_score_stands_at_the_last_token() -> None:
    mask = torch.tensor([[False, True, True, False], [True, True, True, True]])
    assert place_scores(torch.tensor([2.0, 3.0]), mask).tolist() == [[0, 0, 2, 0], [0, 0, 0, 3]]


def test_each_answer_is_compared_with_the_others_to_its_prompt() -> None:
    scores, groups = torch.tensor([1.0, 3.0, 5.0, 7.0, 9.0]), torch.tensor([0, 1, 0, 1, 2])
    assert leave_one_out(scores, groups).tolist() == [-4.0, -4.0, 4.0, 4.0, 0.0]
    assert group_advantages(scores, groups, scale=False).tolist() == [-2.0, -2.0, 2.0, 2.0, 0.0]
    scaled = group_advantages(scores, groups, scale=True)
    assert scaled.tolist() == pytest.approx([-2 / (8**0.5 + 1e-4), -0.70708, 0.70708, 0.70708, 0.0], abs=1e-4)


def test_equal_rewards_teach_nothing() -> None:
    scores, groups = torch.full((6,), 2.5), torch.tensor([0, 0, 0, 1, 1, 1])
    assert not leave_one_out(scores, groups).any()
    assert not group_advantages(scores, groups, scale=True).any()


def test_k3_is_never_below_0_and_0_only_where_nothing_differs() -> None:
    logs, reference = torch.tensor([[-1.0, -2.0]]), torch.tensor([[-1.5, -2.0]])
    found = estimate_kl(logs, reference)[0].tolist()
    assert found == pytest.approx([torch.tensor(-0.5).exp().item() + 0.5 - 1, 0.0], abs=1e-6)


def test_how_likely_a_text_has_become_is_the_product_up_to_each_token() -> None:
    gained = torch.tensor([[9.0, 0.1, 0.2, -0.4]])
    mask = torch.tensor([[False, True, True, True]])
    assert likelihood_so_far(gained, mask)[0].log().tolist() == pytest.approx([0.0, 0.1, 0.3, -0.1], abs=1e-6)


def test_beta_follows_the_error_and_at_most_a_fifth_of_it() -> None:
    assert adapted_weight(0.15, 12.0, 6.0, 100, 1000.0) == pytest.approx(0.15 * 1.02)
    assert adapted_weight(0.15, 5.4, 6.0, 100, 1000.0) == pytest.approx(0.15 * 0.99)
    assert adapted_weight(0.15, 0.0, 6.0, 100, 1000.0) == pytest.approx(0.15 * 0.98)
