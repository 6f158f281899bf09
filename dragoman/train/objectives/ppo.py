"""A policy learns from rewards near what it was: proximal policy optimisation with a critic, as RLHF was first done.

Schulman et al. 2017 (1707.06347), Ziegler et al. 2019 (1909.08593); the details as in Huang et al. 2024 (2403.17031).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dragoman.train.doors import Kit, Loss, Pace
from dragoman.train.objectives._policy import check_drawing, check_share, drawing_of, told

if TYPE_CHECKING:
    from dragoman.nn.decoder import Decoder
    from dragoman.train.policy import Policy, PolicyBatch, Practice, Weighed
    from dragoman.train.rollout import Drawing, Rollout

__all__ = ["Ppo"]


@dataclass(frozen=True)
class Ppo:
    """Each token's reward is -beta (log p - log p_ref); the last token's has the score of the answer besides.

    Advantages are GAE's, whitened over the round. The loss is the clipped surrogate and `critic` times half the clipped
    squared error of the value, each a mean over the drawn tokens.
    """

    needs: ClassVar[tuple[str, ...]] = ("reference", "reward")
    still: ClassVar[bool] = True
    gentle: ClassVar[float] = 0.3
    epochs: ClassVar[float] = 4.0

    reward: str = ""
    "What scores an answer: a reward model's run or folder, label:FOLDER#LABEL, python:FILE.py, regex:..., count:TEXT."
    second: str = ""
    "A second reward that is watched and never learnt from: where it falls while the first rises, the run stops."
    kl_budget: float = 20.0
    "The most nats of KL an answer may have in a state that is kept; past it an alarm ends the run. 0 sets no bound."
    until: float | None = None
    "Stop as soon as the reward on validation is this high."
    every: int = 10
    "After how many rounds the policy is measured on validation."
    episodes: int = 64
    "Answers that are drawn in a round."
    samples: int = 1
    "Answers to each prompt in a round."
    passes: int = 4
    "How many times a round is learnt from."
    max_tokens: int = 64
    "The most tokens of an answer."
    prompt_tokens: int = 16
    "Of a plain text, how many tokens are the prompt."
    temperature: float = 1.0
    "At which answers are drawn, and log-probs taken."
    must_stop: bool = True
    "Whether an answer has to end by itself; one that does not is scored `missing_stop`."
    missing_stop: float = -1.0
    "The score of an answer that did not end."
    beta: float = 0.05
    "What a nat of KL to the reference costs, in the units of the reward."
    target: float = 0.0
    "The KL in nats an answer that beta is steered towards (Ziegler et al. 2019: 6); 0 leaves beta as it is."
    horizon: float = 10_000.0
    "In how many answers beta follows."
    clip: float = 0.2
    "How much likelier or unlikelier a token may become in a round."
    value_clip: float = 0.2
    "How far the critic may move in a round."
    critic: float = 0.1
    "The weight of the critic's loss."
    gamma: float = 1.0
    "How much a reward one token later counts."
    decay: float = 0.95
    "Lambda of GAE."
    whiten_rewards: bool = False
    "Bring the rewards of a round to variance 1, their mean kept."
    entropy: float = 0.0
    "How much a nat of entropy is worth."

    def __post_init__(self) -> None:
        check_drawing(self)
        check_share(self, "gamma", "decay")

    @property
    def drawing(self) -> Drawing:
        """How answers are drawn and scored."""
        return drawing_of(self, "token")

    def extend(self, net: Decoder) -> Mapping[str, Pace]:
        """Give the net a critic; what of it learns."""
        from dragoman.train.critic import WEIGHTS, put_critic

        put_critic(net)
        return WEIGHTS

    def withdraw(self, net: Decoder) -> None:
        """Take the critic away: it is no part of the policy."""
        from dragoman.train.critic import take_critic

        take_critic(net)

    def encode(self, net: Decoder, data: Practice, kit: Kit) -> Policy:
        """The prompts in tokens. Raises UserError where no answer fits behind any."""
        from dragoman.train.policy import policy_of

        return policy_of(self, net, data, kit)

    def stream(self, net: Decoder, policy: Policy, kit: Kit, start: int) -> Iterator[tuple[PolicyBatch, ...]]:
        """The batches of each step; answers are drawn where a round begins."""
        from dragoman.train.policy import stream_policy

        return stream_policy(self, net, policy, kit, start)

    def weigh(self, rollout: Rollout, beta: float) -> Weighed:
        """GAE over the rewards of a round."""
        from dragoman.train.advantages import gae, place_scores, whiten
        from dragoman.train.policy import Weighed

        mask = rollout.mask
        rewards = place_scores(rollout.scores, mask) - beta * (rollout.logs - rollout.reference)  # [n, s]
        if self.whiten_rewards:
            rewards = whiten(rewards, mask, shift=False)
        advantages, returns = gae(rewards, rollout.values, mask, self.gamma, self.decay)
        return Weighed(whiten(advantages, mask), returns)

    def loss(self, net: Decoder, batch: PolicyBatch, kit: Kit) -> Loss:
        """The sum over the drawn tokens."""
        import torch

        heard = batch.hear(net, self.temperature)
        logs = heard.logs  # [b, s]
        mask = batch.labels != -100  # [b, s]
        ratio = (logs - batch.logs).exp()  # [b, s]
        held = ratio.clamp(1 - self.clip, 1 + self.clip)
        policy = torch.maximum(-batch.advantages * ratio, -batch.advantages * held)
        values = heard.values  # [b, s]
        near = batch.values + (values - batch.values).clamp(-self.value_clip, self.value_clip)
        errors = 0.5 * torch.maximum((values - batch.returns).square(), (near - batch.returns).square())
        total = ((policy + self.critic * errors) * mask).sum() - self.entropy * heard.spread.sum()
        own: dict[str, Any] = {"critic_loss": (errors * mask).sum().detach()}
        return Loss(total, told(batch, logs, ratio, self.clip) | own)
