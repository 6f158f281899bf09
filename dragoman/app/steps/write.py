"""Lets the language model write the answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dragoman.app.turn import Turn
from dragoman.core.doors import LM, Prompt, WritingLM
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.types import Answer

__all__ = ["Write", "written"]

REFUSED = Completion("", finish="refused")


def written(prompts: Sequence[Prompt], lm: LM, how: Sampling) -> list[Completion]:
    """One completion a prompt; one that is longer than the model reads gets none: `refused`.

    So one row of a thousand that is too long costs its own answer and not the measurement of all others. Raises
    UserError where a prompt is empty or cannot be written as the model's template has it.
    """
    able = [_readable(prompt, lm) for prompt in prompts]
    made = iter(lm.generate([prompt for prompt, read in zip(prompts, able, strict=True) if read], how))
    return [next(made) if read else REFUSED for read in able]


def _readable(prompt: Prompt, lm: LM) -> bool:
    if not isinstance(lm, WritingLM):
        return True
    lm.ids(prompt)  # an empty one, or one that the template refuses, is a mistake that is told
    try:
        lm.check(prompt)
    except UserError:
        return False
    return True


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

    @property
    def how(self) -> Sampling:
        """How the next token is drawn."""
        return Sampling(max_tokens=self.max_tokens, temperature=self.temperature, stop=self.stop, beams=self.beams)

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with its answer, and whether it stopped by itself."""
        found = written([turn.prompt for turn in turns], lm, self.how)
        return [
            replace(
                turn,
                answer=Answer(one.text.strip(), finish=one.finish, tokens=one.tokens, read=one.prompt_tokens),
                trace=(*turn.trace, "write"),
            )
            for turn, one in zip(turns, found, strict=True)
        ]
