"""A prompt and the answer to it as a scorer reads them: one row of tokens, in which the answer is never cut."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.nn.arch import Arch
from dragoman.nn.marking import mark, mark_text
from dragoman.nn.questions import Pairing
from dragoman.nn.shortening import shorten_beginning
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["Replies", "Reply"]


@dataclass(frozen=True, slots=True)
class Reply:
    """One row, and whether its prompt lost its beginning because there was no room for it."""

    ids: tuple[int, ...]
    cut: bool


class Replies:
    """How a model reads answers.

    A decoder reads the dialogue as it was trained to write it, the token that ends the answer included: there it is
    read. An encoder reads two texts, the prompt and the answer; of a dialogue of several messages each has its role in
    front.
    """

    def __init__(self, tokenizer: Tokenizer, arch: Arch) -> None:
        """Raises UserError where an encoder's tokenizer does not say how two texts stand in one row, and where a
        decoder's has no chat template."""
        self._tokenizer = tokenizer
        self._pairing = Pairing.of(tokenizer, arch) if arch.kind == "encoder" else None
        if self._pairing is None and not tokenizer.chat:
            raise UserError(
                "this model has no chat template, so it does not say how an answer stands behind its prompt",
                "name one in the project that trains it: models.template=instruct",
            )

    def read(
        self, prompts: Sequence[Sequence[Message]], answers: Sequence[str], room: int
    ) -> list[tuple[Reply | None, int]]:
        """For each answer its row of at most `room` tokens, None where the answer alone is longer, and how many tokens
        the answer needs at the least."""
        if self._pairing is None:
            return [self._dialogue(prompt, answer, room) for prompt, answer in zip(prompts, answers, strict=True)]
        before, between, after = self._pairing.before, self._pairing.between, self._pairing.after
        asked = self._tokenizer.plain([_prompt_text(prompt) for prompt in prompts])
        found: list[tuple[Reply | None, int]] = []
        for prompt, answer in zip(asked, self._tokenizer.plain(answers), strict=True):
            least = len(before) + len(between) + len(answer) + len(after)
            kept = prompt[max(0, len(prompt) - (room - least)) :] if room > least else []
            row = (*before, *kept, *between, *answer, *after)
            found.append((Reply(row, len(kept) < len(prompt)) if least <= room else None, least))
        return found

    def types(self, ids: Int[Tensor, "b s"]) -> Int[Tensor, "b s"] | None:
        """Which of the two texts each token is of; None where the model does not ask."""
        return None if self._pairing is None else self._pairing.second(ids)

    def _dialogue(self, prompt: Sequence[Message], answer: str, room: int) -> tuple[Reply | None, int]:
        if not prompt:
            ids = mark_text(self._tokenizer, answer).ids
            return (Reply(ids, False) if len(ids) <= room else None), len(ids)
        whole = mark(self._tokenizer, [*prompt, Message("assistant", answer)], every=False)
        short = shorten_beginning(self._tokenizer, whole, room - 1)  # which counts what is read before the last token
        if short is None or len(short.ids) > room:
            return None, sum(whole.learnt) + 1
        return Reply(short.ids, len(short.ids) < len(whole.ids)), sum(whole.learnt) + 1


def _prompt_text(prompt: Sequence[Message]) -> str:
    """A prompt as one text: a message alone as it is, several with their roles."""
    if len(prompt) == 1:
        return prompt[0].content
    return "\n\n".join(f"{one.role}: {one.content}" for one in prompt)
