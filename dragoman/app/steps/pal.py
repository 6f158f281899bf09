"""Lets the model answer with a program, which is run in the sandbox; what it computes is the answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dragoman.app.sandbox.box import Sandbox, open_sandbox
from dragoman.app.sandbox.outcome import Limits, Outcome
from dragoman.app.steps.write import written
from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.types import Answer, Message

__all__ = ["Pal", "program_in"]

FENCED = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*(\w*)[^\n]*\n(.*?)(?:^[ \t]*\1|\Z)", re.DOTALL | re.MULTILINE)
PYTHON = ("python", "py", "python3")


def program_in(text: str) -> str:
    """The program of a completion: its last block marked as Python, else its last block, else all of it.

    A block that is cut off ends where the text does.
    """
    blocks = [(mark.lower(), body) for _, mark, body in FENCED.findall(text)]
    marked = [body for mark, body in blocks if mark in PYTHON] or [body for _, body in blocks]
    return (marked[-1] if marked else text).strip("\n")


@dataclass(frozen=True)
class Pal:
    """Program-aided answers (Gao et al. 2022, 2211.10435): the model says how, Python computes."""

    request: str = (
        "Write a Python program that computes the answer and leaves it in a variable named answer. "
        "Use Python's standard library alone. Write the program in one ```python block and nothing else."
    )
    "What is added to the question."

    again: str = "The program did not work: {problem}. Write the whole program again, mended, in one ```python block."
    "What the model is told of a program that failed; {problem} is why."

    tries: int = 2
    "How many programs a question may have; it is refused where the last one fails too."

    max_tokens: int = 512
    "The most tokens of a program."

    temperature: float = 0.0
    "0 takes the most probable token; 1 draws from the model's own probabilities."

    seconds: float = 5.0
    "How long a program may run."

    megabytes: int = 256
    "How much memory a program may have, Python's own included."

    box: Sandbox | None = None
    "Where programs run; none opens the first backend that works here."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with what its program computed; refused where there is none that works. Raises NoSandbox."""
        box = self.box or open_sandbox(Limits(seconds=self.seconds, memory=self.megabytes << 20))
        talks = [(*turn.messages, Message(turn.role, f"{turn.question}\n\n{self.request}")) for turn in turns]
        traces = [turn.trace for turn in turns]
        found: dict[int, Turn] = {}
        for number in range(1, self.tries + 1):
            left = [place for place in range(len(turns)) if place not in found]
            how = Sampling(max_tokens=self.max_tokens, temperature=self.temperature)
            for place, one in zip(left, written([talks[place] for place in left], lm, how), strict=True):
                came, problem = _came(one, box)
                traces[place] += (f"pal: program {number}{' failed: ' + problem if problem else ''}",)
                if not problem:
                    answer = Answer(came.text, finish=one.finish, tokens=one.tokens)
                    found[place] = replace(turns[place], answer=answer, trace=traces[place])
                elif number == self.tries or one.finish == "refused":
                    answer = Answer("", finish="refused", tokens=one.tokens)
                    found[place] = replace(turns[place], answer=answer, refused=True, trace=traces[place])
                else:
                    told = Message("user", self.again.replace("{problem}", problem))
                    talks[place] = (*talks[place], Message("assistant", one.text), told)
        return [found[place] for place in range(len(turns))]


def _came(one: Completion, box: Sandbox) -> tuple[Outcome, str]:
    """What came of a program, and what is wrong with that."""
    program = program_in(one.text)
    if not program.strip():
        return Outcome(False), "there is none"
    came = box.run(program)
    if not came.finished:
        return came, came.problem
    return came, "" if came.text else "it printed nothing and left no variable named answer"
