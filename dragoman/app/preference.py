"""Which of two answers a language model prefers under a principle: asked in both orders, so that no place is favoured.

Bai et al. 2022 (2212.08073): the soft label is the softmax over the log-probabilities of " (A)" and " (B)". They asked
in one order. Here the log-odds of both orders are averaged, in which a liking for the first place cancels exactly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dragoman.app.constitution import Constitution, Principle
from dragoman.app.critique import OPTIONS, ask_preference, ask_thought
from dragoman.app.steps.revise import row_of
from dragoman.app.steps.write import written
from dragoman.core.doors import LM, Prompt, WritingLM
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message

__all__ = ["MOST", "Compared", "Preferred", "compare", "principle_of"]

MOST = math.log(0.6 / 0.4)
"soft labels behind a chain of thought end at 40 and 60 %: it makes the critic far too sure (Bai et al. 2022)"
Compared = tuple[Prompt, str, str]


@dataclass(frozen=True, slots=True)
class Preferred:
    """How far a critic prefers the first of two answers, in log-odds, as it was asked in both orders."""

    principle: Principle
    first_in_front: float
    "with the first answer shown first"
    second_in_front: float
    "with the second answer shown first"
    clamped: bool = False

    @property
    def margin(self) -> float:
        """The log-odds of the first answer, the mean of both orders; below 0 where the second is preferred."""
        mean = (self.first_in_front + self.second_in_front) / 2
        return min(max(mean, -MOST), MOST) if self.clamped else mean

    @property
    def soft(self) -> float:
        """The probability that the first answer is the better one; that of the second is what it lacks to 1."""
        odds = math.exp(-abs(self.margin))
        return 1 / (1 + odds) if self.margin >= 0 else odds / (1 + odds)

    @property
    def consistent(self) -> bool:
        """Whether both orders prefer the same answer."""
        return self.first_in_front * self.second_in_front > 0


def principle_of(pair: Compared, constitution: Constitution, seed: int) -> Principle:
    """The principle two answers are compared by, in whichever order they come."""
    prompt, *answers = pair
    return constitution.to_prefer(seed, "\0".join((row_of(prompt), *sorted(answers))))


def compare(
    pairs: Sequence[Compared], critic: LM, constitution: Constitution, seed: int = 0, think: Sampling | None = None
) -> list[Preferred | None]:
    """What the critic prefers of each pair; None where both answers are longer than it reads.

    With `think` it thinks aloud first, in each order anew, and soft labels end at 0.4 and 0.6. Raises UserError where
    the critic cannot tell log-probabilities, and where no principle can prefer.
    """
    rules = [principle_of(pair, constitution, seed) for pair in pairs]
    orders = [
        (rule, prompt, *shown)
        for rule, (prompt, one, other) in zip(rules, pairs, strict=True)
        for shown in ((one, other), (other, one))
    ]
    thoughts = [""] * len(orders)
    if think is not None:
        thoughts = [one.text.strip() for one in written([ask_thought(*order) for order in orders], critic, think)]
    asked = [ask_preference(*order, thought) for order, thought in zip(orders, thoughts, strict=True)]
    able = [row for row in range(len(pairs)) if all(_fits(asked[place], critic) for place in (2 * row, 2 * row + 1))]
    found: list[Preferred | None] = [None] * len(pairs)
    if not able:
        return found
    known = critic.score([asked[place] for row in able for place in (2 * row, 2 * row + 1)], OPTIONS)
    for place, row in enumerate(able):
        front, behind = known[2 * place], known[2 * place + 1]
        odds = float(front[0] - front[1]), float(behind[1] - behind[0])
        found[row] = Preferred(rules[row], *odds, clamped=think is not None)
    return found


def _fits(asked: tuple[Message, ...], critic: LM) -> bool:
    """Whether the critic reads the question with an option behind it."""
    if not isinstance(critic, WritingLM):
        return True
    *before, last = asked
    try:
        critic.check([*before, Message(last.role, last.content + OPTIONS[0])])
    except UserError:
        return False
    return True
