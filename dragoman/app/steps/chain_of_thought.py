"""Lets the model think aloud before it answers, and takes the answer from behind what it thought."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dragoman.app.steps.write import written
from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.core.sampling import Sampling
from dragoman.core.types import Answer

__all__ = ["ChainOfThought", "conclusion"]


def conclusion(text: str, marks: Sequence[str]) -> str:
    """What stands behind the last of these marks, up to the end of its line; the last line where there is none."""
    found = max(((text.rfind(mark), mark) for mark in marks), default=(-1, ""))
    if found[0] >= 0:
        text = text[found[0] + len(found[1]) :]
        return text.strip().split("\n")[0].strip().rstrip(".")
    lines = [line for line in text.strip().split("\n") if line.strip()]
    return re.sub(r"^(so|therefore|thus),?\s+", "", lines[-1].strip(), flags=re.IGNORECASE) if lines else ""


@dataclass(frozen=True)
class ChainOfThought:
    """Zero-shot chain of thought (Wei et al. 2022, 2201.11903; Kojima et al. 2022, 2205.11916)."""

    request: str = "Let's think step by step, and end with a line that begins with 'Answer:'."
    "What is added to the question."

    marks: tuple[str, ...] = ("Answer:", "answer is", "####")
    "What stands in front of the answer."

    max_tokens: int = 512
    "The most tokens of thinking and answer together."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with the answer alone; what was thought is not part of it."""
        asked = [replace(turn, question=f"{turn.question}\n\n{self.request}") for turn in turns]
        found = written([turn.prompt for turn in asked], lm, Sampling(max_tokens=self.max_tokens))
        return [
            replace(
                turn,
                answer=Answer(
                    conclusion(one.text, self.marks), finish=one.finish, tokens=one.tokens, read=one.prompt_tokens
                ),
                trace=(*turn.trace, "chain_of_thought"),
            )
            for turn, one in zip(turns, found, strict=True)
        ]
