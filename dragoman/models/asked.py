"""What a model is asked, in ids: a prompt to answer, and an option that stands behind one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Per, Prompt
from dragoman.core.errors import UserError, empty_prompt
from dragoman.core.types import Message
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["Asking", "divided"]


@dataclass(frozen=True)
class Asking:
    """How prompts become ids, the same for every model that runs here.

    With `chat` the model's template renders them; else their contents are joined by a newline. With `two`, for an
    encoder-decoder, a prompt ends as the encoder wants it and an answer stands alone.
    """

    tokenizer: Tokenizer
    chat: bool
    two: bool

    @property
    def goes_on(self) -> bool:
        """Whether an answer goes on with the prompt's own text."""
        return not self.chat and not self.two

    @property
    def lead(self) -> list[int]:
        """What an encoder-decoder writes in front of every answer, after its start token: BART's <s>, in T5 nothing."""
        return self.tokenizer.start("") if self.two else []

    def ids(self, prompt: Prompt) -> list[int]:
        """What the model reads of a prompt. Raises UserError where it says nothing."""
        ids = self._ids(prompt) if any(message.content for message in prompt) else []
        if not ids:
            raise empty_prompt()
        return ids

    def parts(self, prompt: Prompt, head: list[int], option: str) -> tuple[list[int], list[int]]:
        """What is read and what is scored, where `head` are the prompt's ids.

        They are the ids of both together, cut where they part from the prompt's alone: so a token that holds the end of
        the prompt and the beginning of the option is scored whole. Raises UserError where the option is empty.
        """
        apart = self.tokenizer.plain([option])[0]
        if not apart:
            raise UserError(f"the option {option!r} adds no token to the prompt", "leave empty options out")
        if self.two:
            return head, apart
        goes_on = prompt[-1].role == "assistant" or not self.chat
        last = Message(prompt[-1].role, prompt[-1].content + option) if goes_on else Message("assistant", option)
        whole = self.ids([*(prompt[:-1] if goes_on else prompt), last])
        cut = _alike(head, whole)
        # Where even the first token is another one nothing is left to read, so both are taken as they are alone.
        return (whole[:cut], whole[cut:]) if cut and whole[cut:] else (head, apart)

    def _ids(self, prompt: Prompt) -> list[int]:
        if self.chat:
            return self.tokenizer.dialogue(list(prompt))
        text = "\n".join(message.content for message in prompt)
        if self.two:
            return self.tokenizer.encode([text], max(self.tokenizer.count([text])))[0]
        return self.tokenizer.start(text)


def divided(
    summed: NDArray[np.float64], per: Per, tails: Sequence[Sequence[int]], prompts: int, options: Sequence[str]
) -> NDArray[np.float64]:
    """Summed log-probabilities, a prompt's options next to each other, divided as asked: [prompts, options].

    Raises UserError where one is not finite.
    """
    if not np.isfinite(summed).all():
        raise UserError("the model's numbers are not finite", "say precision=fp32, or check the weights")
    if per == "token":
        summed = summed / np.array([len(tail) for tail in tails], dtype=np.float64)
    if per == "byte":
        summed = summed / np.array([len(option.encode("utf-8")) for option in options] * prompts, dtype=np.float64)
    return summed.reshape(prompts, len(options))


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids both begin with."""
    length = min(len(one), len(other))
    return next((place for place in range(length) if one[place] != other[place]), length)
