"""Lets the language model write the answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.core.sampling import Sampling
from dragoman.core.types import Answer

__all__ = ["Write"]


@dataclass(frozen=True)
class Write:
    """Greedy by default, so that a measured answer is the served one."""

    max_tokens: int = 256
    "The most tokens of an answer."

    temperature: float = 0.0
    "0 takes the most probable token; 1 draws from the model's own probabilities."

    stop: tuple[str, ...] = ()
    "Texts that end an answer besides the model's own stop token."

    beams: int = 1
    "Beam search over so many beams; 1 is none."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with its answer, and whether it stopped by itself."""
        how = Sampling(max_tokens=self.max_tokens, temperature=self.temperature, stop=self.stop, beams=self.beams)
        written = lm.generate([turn.prompt for turn in turns], how)
        return [
            replace(
                turn,
                answer=Answer(one.text.strip(), finish=one.finish, tokens=one.tokens),
                trace=(*turn.trace, "write"),
            )
            for turn, one in zip(turns, written, strict=True)
        ]
