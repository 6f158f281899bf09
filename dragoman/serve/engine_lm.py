"""The LM door over an engine that others use too: the steps of an assistant write beside all other requests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Per, Prompt, WritingLM
from dragoman.core.sampling import Completion, Sampling
from dragoman.serve.gathered import Gathered, check_pieces
from dragoman.serve.scheduler import Scheduler, Ticket

__all__ = ["EngineLM"]


@dataclass
class EngineLM:
    """Writes through a scheduler, and reads and scores with the model itself. For threads without an event loop."""

    lm: WritingLM
    scheduler: Scheduler
    adapter: str = ""
    note: str = field(init=False)
    chat: bool = field(init=False)
    longest: int = field(init=False)

    def __post_init__(self) -> None:
        self.note, self.chat, self.longest = self.lm.note, self.lm.chat, self.lm.longest

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """`how.n` completions for each prompt. Raises UserError as the engine's `count`, Refused, and Gone."""
        if how.beams > 1:  # a search is one prompt's own, and the engine draws token by token
            return self.lm.generate(prompts, how)
        tickets = [self.scheduler.wait_for(prompt, how, adapter=self.adapter) for prompt in prompts]
        try:
            return [one for ticket in tickets for one in _collected(ticket, how.n)]
        finally:
            for ticket in tickets:
                ticket.cancel()

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """One completion piece by piece. Raises as `generate`."""
        ticket = self.scheduler.wait_for(prompt, how, adapter=self.adapter)
        try:
            for pieces in ticket:
                for piece in pieces:
                    check_pieces([piece])
                    if piece.text:
                        yield piece.text
        finally:
            ticket.cancel()

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """As the model's own."""
        return self.lm.score(prompts, options, per)

    def ids(self, prompt: Prompt) -> list[int]:
        """As the model's own."""
        return self.lm.ids(prompt)

    def check(self, prompt: Prompt) -> None:
        """As the model's own."""
        self.lm.check(prompt)


def _collected(ticket: Ticket, n: int) -> list[Completion]:
    """All answers of one request. Raises Refused where the engine failed on it."""
    gathered = Gathered(n)
    for pieces in ticket:
        check_pieces(pieces)
        gathered.take(pieces)
    return gathered.completions(ticket.prompt_tokens)
