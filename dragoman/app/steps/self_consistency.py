"""Asks several times with luck and takes the answer that comes most often (Wang et al. 2022, 2203.11171)."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dragoman.app.turn import Step, Turn
from dragoman.core.doors import LM, Per, Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling

__all__ = ["SelfConsistency", "normal_answer"]

_NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:[eE][-+]?\d+)?")


def normal_answer(text: str) -> str:
    """What two answers have in common that say the same: "#### 1,234." and "$1234.0" are 1234, "Yes!" is yes."""
    plain = unicodedata.normalize("NFKC", text).replace("####", " ").strip().casefold()
    found = _NUMBER.findall(plain)
    if len(found) == 1 and len(re.sub(r"[\W\d_]+", "", plain.replace(found[0], ""))) <= 12:
        value = float(found[0].replace(",", ""))
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return " ".join(re.sub(r"[^\w\s]", " ", plain).split())


@dataclass(frozen=True)
class _Drawing:
    """A language model that draws where the step around it wants the most probable."""

    lm: LM
    temperature: float
    seed: int

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """As the model itself, with luck."""
        return self.lm.generate(prompts, replace(how, temperature=self.temperature, seed=self.seed))

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """As the model itself, with luck."""
        return self.lm.stream(prompt, replace(how, temperature=self.temperature, seed=self.seed))

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> object:
        """As the model itself."""
        return self.lm.score(prompts, options, per)


@dataclass(frozen=True)
class SelfConsistency:
    """The answer that most of several draws agree on; of equally many the one that came first."""

    inner: Step
    "What answers, such as ChainOfThought."

    samples: int = 5
    "How often it is asked."

    temperature: float = 0.7
    "At which it draws."

    seed: int = 0
    "Of the first draw; each other one has the next."

    def __post_init__(self) -> None:
        if self.samples < 1 or self.temperature <= 0:
            raise UserError(
                "there is nothing to agree on without samples and luck", "ask more than once, at a temperature above 0"
            )

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with the answer of most, how many agreed as its score, and the tokens of all."""
        draws = []
        for number in range(self.samples):
            luck: object = _Drawing(lm, self.temperature, self.seed + number)
            draws.append(self.inner(turns, luck))  # type: ignore[arg-type]
        return [self._agreed([draw[place] for draw in draws]) for place in range(len(turns))]

    def _agreed(self, drawn: Sequence[Turn]) -> Turn:
        able = [one for one in drawn if one.answer.text.strip()]
        if not able:
            return drawn[0]
        votes = Counter(normal_answer(one.answer.text) for one in able)
        most = max(votes.values())
        chosen = next(one for one in able if votes[normal_answer(one.answer.text)] == most)
        tokens = sum(one.answer.tokens for one in drawn)
        read = sum(one.answer.read for one in drawn)
        scores = {**chosen.answer.scores, "agreement": most / len(drawn)}
        answer = replace(chosen.answer, scores=scores, tokens=tokens, read=read)
        return replace(chosen, answer=answer, trace=(*chosen.trace, f"self_consistency: {most} of {len(drawn)}"))
