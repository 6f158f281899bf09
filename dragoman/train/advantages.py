"""How much better than expected each drawn token or answer was: whitening, GAE, leave-one-out, groups, and KL.

Rows are answers, columns the places of their tokens; `mask` is True where a token was drawn. What stands outside of it
never counts, not in a mean either.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = [
    "adapted_weight",
    "estimate_kl",
    "gae",
    "group_advantages",
    "leave_one_out",
    "likelihood_so_far",
    "place_scores",
    "whiten",
]


def whiten(values: Float[Tensor, "n s"], mask: Bool[Tensor, "n s"], shift: bool = True) -> Float[Tensor, "n s"]:
    """Values with variance 1 and, if they are to `shift`, mean 0, over all tokens of all answers.

    The variance is that of the population, as in the code of Ziegler et al. 2019: torch's own divides by one less
    (Huang et al. 2024, 2403.17031). Rewards keep their mean; advantages lose it.
    """
    count = mask.sum().clamp(min=1)
    mean = values.where(mask, torch.zeros_like(values)).sum() / count
    variance = (values - mean).square().where(mask, torch.zeros_like(values)).sum() / count
    white = (values - mean) * (variance + 1e-8).rsqrt()  # [n, s]
    return (white if shift else white + mean).where(mask, torch.zeros_like(values))


def place_scores(scores: Float[Tensor, " n"], mask: Bool[Tensor, "n s"]) -> Float[Tensor, "n s"]:
    """The score of each answer at its last token, 0 elsewhere."""
    behind = mask.flip(1).cumsum(1).flip(1)  # [n, s]: tokens from here on
    return torch.where(mask & (behind == 1), scores[:, None], torch.zeros((), dtype=scores.dtype, device=scores.device))


def gae(
    rewards: Float[Tensor, "n s"],
    values: Float[Tensor, "n s"],
    mask: Bool[Tensor, "n s"],
    gamma: float,
    decay: float,
) -> tuple[Float[Tensor, "n s"], Float[Tensor, "n s"]]:
    """Generalised advantages (Schulman et al. 2016, 1506.02438) and the returns they stand on, advantage plus value.

    Behind the last token there is nothing: its value is 0. `decay` is lambda.
    """
    held = mask.to(rewards.dtype)
    values = values * held  # [n, s]
    found = torch.zeros_like(rewards)
    carried = rewards.new_zeros(len(rewards))  # [n]
    after = rewards.new_zeros(len(rewards))  # [n]
    for place in range(rewards.shape[1] - 1, -1, -1):
        surprise = rewards[:, place] + gamma * after - values[:, place]  # [n]
        carried = (surprise + gamma * decay * carried) * held[:, place]  # [n]
        after = values[:, place]
        found[:, place] = carried
    return found, (found + values) * held


def leave_one_out(scores: Float[Tensor, " n"], groups: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Each score less the mean of the others to the same prompt (RLOO, Ahmadian et al. 2024, 2402.14740).

    An answer that is alone has nothing to be compared with, and gets 0.
    """
    sums, counts = _by_group(scores, groups)
    others = (counts - 1).clamp(min=1)
    return torch.where(counts > 1, scores - (sums - scores) / others, torch.zeros_like(scores))


def group_advantages(scores: Float[Tensor, " n"], groups: Int[Tensor, " n"], scale: bool) -> Float[Tensor, " n"]:
    """Each score less its group's mean (GRPO, Shao et al. 2024, 2402.03300), to `scale` over its spread.

    Dividing makes the weight of the KL term depend on the prompt and swells groups that are nearly all alike (Liu et
    al. 2025, 2503.20783).
    """
    sums, counts = _by_group(scores, groups)
    apart = scores - sums / counts  # [n]
    if not scale:
        return apart
    squares, _ = _by_group(apart.square(), groups)
    return apart / ((squares / (counts - 1).clamp(min=1)).sqrt() + 1e-4)


def _by_group(values: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of its group and how many are in it, for each value."""
    size = int(groups.max()) + 1 if len(groups) else 0
    sums = values.new_zeros(size).index_add(0, groups, values)
    counts = values.new_zeros(size).index_add(0, groups, torch.ones_like(values))
    return sums[groups], counts[groups]


def likelihood_so_far(gained: Float[Tensor, "n s"], mask: Bool[Tensor, "n s"]) -> Float[Tensor, "n s"]:
    """How much likelier each answer has become up to each of its tokens; `gained` is log p now less log p when drawn.

    With it, what is said of a token is weighed by the chance of getting there, and its gradient is that of the exact
    expectation: the KL of later tokens counts for the earlier ones that led to them.
    """
    return (gained * mask).cumsum(1).clamp(max=3.0).exp()  # beyond e^3 one answer would speak for all


def estimate_kl(logs: Float[Tensor, "n s"], reference: Float[Tensor, "n s"]) -> Float[Tensor, "n s"]:
    """k3 of each token (Schulman 2020): exp(d) - d - 1 with d = log p_ref - log p. Never below 0, and its mean is the
    KL; the mean of its gradient is not the gradient of the KL unless `likelihood_so_far` weighs it."""
    apart = reference - logs
    return apart.exp() - apart - 1


def adapted_weight(weight: float, kl: float, target: float, answers: int, horizon: float) -> float:
    """The weight of the KL after a round whose mean KL was `kl` (Ziegler et al. 2019, section 2.2).

    It follows the error, at most 0.2 of it, in about `horizon` answers."""
    error = min(0.2, max(-0.2, kl / target - 1.0))
    return weight * (1.0 + error * answers / horizon)
