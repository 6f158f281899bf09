"""A language so small that every text of it is counted: 6 words, 5 places, 7,776 texts, and exact figures of all."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dragoman.core.doors import Prompt
from dragoman.core.types import Example, Message
from dragoman.nn.arch import Arch
from dragoman.nn.decoder import Decoder
from dragoman.nn.store import fresh_lm

__all__ = ["BETA", "LENGTH", "WORDS", "Counted", "Letters", "Micro", "micro"]

WORDS, LENGTH, BETA = 6, 5, 0.5
ARCH = Arch(
    "llama", kind="decoder", position="learned", vocabulary=WORDS, width=32, layers=2, heads=4, feed_forward=64,
    positions=16, dropout=0.0, attention_dropout=0.0, token_types=0, embedding_norm=False, norm="rms",
    norm_place="before", final_norm=True, initial_std=0.2,
)  # fmt: skip


class Letters:
    """The tokenizer of that language: a word is its digit; nothing ends a text."""

    pad_id = 0
    eos_ids: frozenset[int] = frozenset()
    chat = False
    size = WORDS

    def start(self, text: str) -> list[int]:
        """Every text begins with the word 0, which is read and not written."""
        return [0, *(int(letter) for letter in text)]

    def decode(self, ids: Sequence[int]) -> str:
        """A digit a word."""
        return "".join(str(int(one)) for one in ids)

    def characters(self, inside: bool = False) -> "Letters":
        """What puts tokens together."""
        return self

    def whole(self, ids: Sequence[int]) -> str:
        """The text of all tokens."""
        return self.decode(ids)


@dataclass
class Counted:
    """The reward of each text, by its number; every asking is counted."""

    table: Tensor
    asked: int = 0

    def rate(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> NDArray[np.float64]:
        """What the table says."""
        self.asked += len(answers)
        return self.table[[int(text, WORDS) for text in answers]].double().numpy()


@dataclass
class Micro:
    """The language, a net that knows nothing of it, and what is best for its reward near that net."""

    net: Decoder
    sequences: Tensor
    "[7776, 5]"
    rewards: Tensor
    "[7776] float64"
    before: Tensor = field(init=False)
    "[7776] log p of each text by the net as it was"

    def __post_init__(self) -> None:
        self.before = self.logs(self.net)

    @property
    def reward(self) -> Counted:
        """What scores an answer."""
        return Counted(self.rewards)

    @property
    def prompts(self) -> list[Example]:
        """The empty prompt."""
        return [Example((Message("user", ""),), (), meta={"id": "begin"})]

    @torch.no_grad()
    def logs(self, net: Any) -> Tensor:
        """log p of every text, exact, in float64."""
        ids = torch.cat([torch.zeros(len(self.sequences), 1, dtype=torch.long), self.sequences], 1)
        logs = net(ids[:, :-1]).double().log_softmax(-1)  # [7776, 5, 6]
        return logs.gather(2, ids[:, 1:, None])[:, :, 0].sum(1)

    def gain(self, net: Any, beta: float = BETA) -> float:
        """J = E[reward] - beta KL, exact."""
        logs = self.logs(net)
        return float((logs.exp() * (self.rewards - beta * (logs - self.before))).sum())

    def best(self, beta: float = BETA) -> float:
        """The highest J there is: beta log E_ref exp(reward / beta)."""
        return float(beta * (self.before + self.rewards / beta).logsumexp(0))

    def fraction(self, net: Any, beta: float = BETA) -> float:
        """The share of what can be gained that was gained."""
        start = float((self.before.exp() * self.rewards).sum())
        return (self.gain(net, beta) - start) / (self.best(beta) - start)

    def kl(self, net: Any) -> float:
        """The KL to the net as it was, in nats."""
        logs = self.logs(net)
        return float((logs.exp() * (logs - self.before)).sum())

    def variation(self, net: Any, beta: float = BETA) -> float:
        """The total variation from the best policy."""
        wanted = (self.before + self.rewards / beta).log_softmax(0).exp()
        return float((self.logs(net).exp() - wanted).abs().sum() / 2)


def micro(seed: int) -> Micro:
    """A net and a reward: so much for each word at each place, and 1 more where the last word is the first."""
    dice = torch.Generator().manual_seed(seed)
    table = torch.randn(LENGTH, WORDS, generator=dice, dtype=torch.float64)
    sequences = torch.tensor(list(product(range(WORDS), repeat=LENGTH)))
    rewards = sum(table[place, sequences[:, place]] for place in range(LENGTH))
    assert isinstance(rewards, Tensor)
    rewards = rewards + (sequences[:, 0] == sequences[:, -1]).double()
    net = fresh_lm(ARCH, seed)
    assert isinstance(net, Decoder)
    return Micro(net.eval(), sequences, rewards)
