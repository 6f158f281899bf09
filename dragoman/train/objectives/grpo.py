"""A policy learns from rewards in groups of answers to one prompt, with the KL to the reference in the loss.

GRPO (Shao et al. 2024, 2402.03300), with the mends of Dr. GRPO (Liu et al. 2025, 2503.20783) and DAPO (2503.14476).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from dragoman.core.errors import UserError
from dragoman.train.doors import Kit, Loss
from dragoman.train.objectives._policy import check_drawing, drawing_of, told

if TYPE_CHECKING:
    from dragoman.nn.decoder import Decoder
    from dragoman.train.policy import Policy, PolicyBatch, Practice, Weighed
    from dragoman.train.rollout import Drawing, Rollout

__all__ = ["Grpo"]


@dataclass(frozen=True)
class Grpo:
    """Each token's clipped ratio times the advantage of its answer in its group, less beta times the KL of the token.

    The estimate k3 of the KL is weighed by how likely the text up to it has become (`kl=unbiased`): only then
    is its gradient that of the KL. On three enumerable models the weighed one reaches 0.93 to 0.99 of what can be
    gained, the plain one 0.46 to 0.92.
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
    samples: int = 8
    "Answers to each prompt in a round."
    passes: int = 1
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
    kl: Literal["unbiased", "k3"] = "unbiased"
    "How the KL stands in the loss: k3 alone is what other tools do, and its gradient is not that of the KL."
    mean: Literal["place", "token", "answer"] = "place"
    """What the loss is a mean over: answers times max_tokens (Dr. GRPO), all tokens (DAPO), or the tokens of each
    answer and then answers (GRPO as published), which prefers long wrong answers."""
    scale: bool = False
    "Divide advantages by the spread of their group, as published: near-solved prompts then count most."
    entropy: float = 0.0
    "How much a nat of entropy is worth."

    def __post_init__(self) -> None:
        check_drawing(self)
        if self.samples < 2:
            raise UserError("an answer that is alone has none to be compared with", "say objective.samples=4")

    @property
    def drawing(self) -> Drawing:
        """How answers are drawn and scored."""
        return drawing_of(self, self.mean)

    def encode(self, net: Decoder, data: Practice, kit: Kit) -> Policy:
        """The prompts in tokens. Raises UserError where no answer fits behind any."""
        from dragoman.train.policy import policy_of

        return policy_of(self, net, data, kit)

    def stream(self, net: Decoder, policy: Policy, kit: Kit, start: int) -> Iterator[tuple[PolicyBatch, ...]]:
        """The batches of each step; answers are drawn where a round begins."""
        from dragoman.train.policy import stream_policy

        return stream_policy(self, net, policy, kit, start)

    def weigh(self, rollout: Rollout, beta: float) -> Weighed:
        """The same number at every token of an answer; the KL is in the loss."""
        from dragoman.train.advantages import group_advantages
        from dragoman.train.policy import Weighed

        better = group_advantages(rollout.scores, rollout.groups, self.scale)  # [n]
        spread = better[:, None] * rollout.mask  # [n, s]
        return Weighed(spread, spread)

    def loss(self, net: Decoder, batch: PolicyBatch, kit: Kit) -> Loss:
        """The sum over tokens, or over answers of the mean over their tokens."""
        import torch

        from dragoman.train.advantages import estimate_kl, likelihood_so_far

        heard = batch.hear(net, self.temperature)
        logs = heard.logs  # [b, s]
        mask = batch.labels != -100  # [b, s]
        ratio = (logs - batch.logs).exp()  # [b, s]
        held = ratio.clamp(1 - self.clip, 1 + self.clip)
        policy = torch.maximum(-batch.advantages * ratio, -batch.advantages * held)
        away = estimate_kl(logs, batch.reference)  # [b, s]
        if self.kl == "unbiased":
            away = away * likelihood_so_far(logs - batch.logs, mask)
        each = (policy + batch.beta * away - self.entropy * heard.spread) * mask
        if self.mean == "answer":
            each = each / mask.sum(1, keepdim=True)
        return Loss(each.sum(), told(batch, logs, ratio, self.clip))
