"""Which tokens of a dialogue are learnt: the assistant's words and the stop behind them, and nothing that it is given.

A prompt is tokenised as serving would read it and the answer behind it apart, so training and serving meet at the same
border. Measured on a solvable task: with the stop token labelled 100 % of answers end, without it 0 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["Marked", "mark", "mark_pair", "mark_turns"]


@dataclass(frozen=True, slots=True)
class Marked:
    """A dialogue in tokens. `learnt` is True on each token that is to be predicted."""

    ids: tuple[int, ...]
    learnt: tuple[bool, ...]
    stop: int | None
    "the token that ends the last answer"

    @property
    def answers(self) -> tuple[int, ...]:
        """The tokens that are learnt, in their order."""
        return tuple(number for number, learnt in zip(self.ids, self.learnt, strict=True) if learnt)


def mark(tokenizer: Tokenizer, messages: Sequence[Message], every: bool = True) -> Marked:
    """One row of a dialogue that ends with an answer: every answer in it is learnt, or the last one alone.

    Raises UserError, with the name of the failure in front, where the template writes an earlier part of the dialogue
    otherwise once there is more of it (`template-drift`; `mark_turns` then gives a row for each answer), where nothing
    ends an answer (`stop-token-untrained`), and where the last message is not the assistant's.
    """
    # A greeting in front of the first question is read, and never asked for.
    turns = [place for place, one in enumerate(messages) if one.role == "assistant" and place]
    if not messages or not turns or turns[-1] != len(messages) - 1:
        raise UserError("no-answer: a dialogue to learn from ends with the assistant", "dragoman check shows the rows")
    ids: list[int] = []
    learnt: list[bool] = []
    stop = None
    for place in turns if every else turns[-1:]:
        prompt = tokenizer.dialogue(messages[:place])
        if prompt[: len(ids)] != ids:
            raise UserError(
                "template-drift: the chat template writes what was said otherwise once more is said",
                "learn the last answer alone: objective.turns=last",
            )
        answer, stop = _answer(tokenizer, messages[: place + 1])
        learnt += [False] * (len(prompt) - len(ids)) + [True] * len(answer)
        ids = [*prompt, *answer]
    return Marked(tuple(ids), tuple(learnt), stop)


def mark_turns(tokenizer: Tokenizer, messages: Sequence[Message], every: bool = True) -> list[Marked]:
    """The rows of a dialogue: one, or one for each answer where the template changes what it wrote before.

    Reasoning models drop earlier thoughts as soon as the next question comes: each answer is then learnt behind exactly
    the prompt that serving would give it. Raises UserError as `mark`.
    """
    try:
        return [mark(tokenizer, messages, every)]
    except UserError as error:
        if not every or not str(error).startswith("template-drift"):
            raise
    places = [place for place, one in enumerate(messages) if one.role == "assistant" and place]
    return [mark(tokenizer, messages[: place + 1], every=False) for place in places]


def mark_pair(tokenizer: Tokenizer, prompt: Sequence[Message], answer: str) -> tuple[list[int], list[int]]:
    """For an encoder-decoder: what the encoder reads, as the model wants a text, and what the decoder is to write.

    Without a chat template the messages are joined by a newline, as they are when it answers. The answer ends with the
    stop token. Raises UserError (`stop-token-untrained`) where the tokenizer has none.
    """
    if not tokenizer.eos_ids:
        raise _no_stop()
    if tokenizer.chat:
        source = tokenizer.dialogue(list(prompt))
    else:
        text = "\n".join(message.content for message in prompt)
        source = tokenizer.encode([text], max(tokenizer.count([text])))[0]
    return source, [*tokenizer.start(""), *tokenizer.plain([answer])[0], min(tokenizer.eos_ids)]


def _answer(tokenizer: Tokenizer, messages: Sequence[Message]) -> tuple[list[int], int]:
    """The tokens of the last message up to its stop, and the stop: the first token that ends an answer, or, where none
    of those is written, the last control token that the template writes behind the text."""
    rest = tokenizer.reply(messages)
    ends = [place for place, number in enumerate(rest) if number in tokenizer.eos_ids]
    ends = ends[:1] or [place for place, number in enumerate(rest) if number in tokenizer.control_ids][-1:]
    if not ends:
        raise _no_stop()
    return rest[: ends[0] + 1], rest[ends[0]]


def _no_stop() -> UserError:
    return UserError(
        "stop-token-untrained: nothing ends an answer, so a model trained on it would never stop",
        "choose a chat template that ends answers: models.template=instruct",
    )
