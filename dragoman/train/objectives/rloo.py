"""A policy learns from rewards without a critic: each answer is compared with the others to the same prompt.

RLOO (Kool et al. 2019; Ahmadian et al. 2024, 2402.14740).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dragoman.core.errors import UserError
from dragoman.train.doors import Kit, Loss
from dragoman.train.objectives._policy import check_drawing, drawing_of, told

if TYPE_CHECKING:
    from dragoman.nn.decoder import Decoder
    from dragoman.train.policy import Policy, PolicyBatch, Practice, Weighed
    from dragoman.train.rollout import Drawing, Rollout

__all__ = ["Rloo"]


@dataclass(frozen=True)
class Rloo:
    """The whole answer is one action. Its reward, less beta times its log p - log p_ref, less the mean of the others'.

    The loss is a mean over answers, of the ratio of the whole answer's likelihood, clipped.
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
    samples: int = 4
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
    "How much likelier or unlikelier an answer may become in a round."
    entropy: float = 0.0
    "How much a nat of entropy is worth."

    def __post_init__(self) -> None:
        check_drawing(self)
        if self.samples < 2:
            raise UserError("an answer that is alone has none to be compared with", "say objective.samples=4")

    @property
    def drawing(self) -> Drawing:
        """How answers are drawn and scored."""
        return drawing_of(self, "answer")

    def encode(self, net: Decoder, data: Practice, kit: Kit) -> Policy:
        """The prompts in tokens. Raises UserError where no answer fits behind any."""
        from dragoman.train.policy import policy_of

        return policy_of(self, net, data, kit)

    def stream(self, net: Decoder, policy: Policy, kit: Kit, start: int) -> Iterator[tuple[PolicyBatch, ...]]:
        """The batches of each step; answers are drawn where a round begins."""
        from dragoman.train.policy import stream_policy

        return stream_policy(self, net, policy, kit, start)

    def weigh(self, rollout: Rollout, beta: float) -> Weighed:
        """The same number at every token of an answer."""
        from dragoman.train.advantages import leave_one_out
        from dragoman.train.policy import Weighed

        better = leave_one_out(rollout.scores - beta * rollout.divergence, rollout.groups)  # [n]
        spread = better[:, None] * rollout.mask  # [n, s]
        return Weighed(spread, spread)

    def loss(self, net: Decoder, batch: PolicyBatch, kit: Kit) -> Loss:
        """The sum over the answers."""
        import torch

        heard = batch.hear(net, self.temperature)
        logs = heard.logs  # [b, s]
        ratio = (logs - batch.logs).sum(1).exp()  # [b]
        better = batch.advantages.sum(1) / (batch.labels != -100).sum(1)  # [b]
        held = ratio.clamp(1 - self.clip, 1 + self.clip)
        total = torch.maximum(-better * ratio, -better * held).sum() - self.entropy * heard.spread.sum()
        return Loss(total, told(batch, logs, (logs - batch.logs).exp(), self.clip))
