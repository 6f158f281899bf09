"""Which tokens of a dialogue are learnt: the assistant's words and the stop behind them, and nothing that it is given.

A prompt is tokenised as serving would read it and the answer behind it apart, so training and serving meet at the same
border. Measured on a solvable task: with the stop token labelled 100 % of answers end, without it 0 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.nn.templates import TEMPLATES
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["Marked", "join_answers", "mark", "mark_pair", "mark_text", "mark_turns"]


@dataclass(frozen=True, slots=True)
class Marked:
    """A dialogue in tokens. `learnt` is True on each token that is to be predicted."""

    ids: tuple[int, ...]
    learnt: tuple[bool, ...]
    stop: int | None
    "the token that ends the last answer"
    messages: tuple[Message, ...] = ()
    "what it was made of; none where it is plain text"
    every: bool = True
    "whether every answer in it is learnt, or the last alone"

    @property
    def answers(self) -> tuple[int, ...]:
        """The tokens that are learnt, in their order."""
        return tuple(number for number, learnt in zip(self.ids, self.learnt, strict=True) if learnt)


def mark(tokenizer: Tokenizer, messages: Sequence[Message], every: bool = True) -> Marked:
    """One row of a dialogue that ends with an answer: every answer in it is learnt, or the last one alone.

    Answers without a word are read and never learnt: nothing but the stop would be. Raises UserError, with the name of
    the failure in front, where the template writes an earlier part of the dialogue otherwise once there is more of it
    (`template-drift`; `mark_turns` then gives a row for each answer), where nothing ends an answer
    (`stop-token-untrained`), and where the last message is not the assistant's.
    """
    messages = join_answers(messages)
    turns = _turns(messages)
    if not turns or turns[-1] != len(messages) - 1:
        raise UserError("no-answer: a dialogue to learn from ends with the assistant", "dragoman check shows the rows")
    ids: list[int] = []
    learnt: list[bool] = []
    stop = None
    turns = turns if every else turns[-1:]
    for place, (prompt, rest) in zip(turns, tokenizer.turns(messages, turns), strict=True):
        if prompt[: len(ids)] != ids:
            raise UserError(
                "template-drift: the chat template writes what was said otherwise once more is said",
                "learn the last answer alone: objective.turns=last",
            )
        answer, stop = _ended(tokenizer, rest)
        worded = len(answer) > 1 and bool(messages[place].content.strip())
        learnt += [False] * (len(prompt) - len(ids)) + [worded] * len(answer)
        ids = [*prompt, *answer]
    return Marked(tuple(ids), tuple(learnt), stop, tuple(messages), every)


def mark_turns(tokenizer: Tokenizer, messages: Sequence[Message], every: bool = True) -> list[Marked]:
    """The rows of a dialogue: one, or one for each answer where the template changes what it wrote before; none where
    no answer holds a word.

    Reasoning models drop earlier thoughts as soon as the next question comes: each answer is then learnt behind exactly
    the prompt that serving would give it. Raises UserError as `mark`.
    """
    try:
        found = [mark(tokenizer, messages, every)]
    except UserError as error:
        if not every or not str(error).startswith("template-drift"):
            raise
        messages = join_answers(messages)
        found = [mark(tokenizer, messages[: place + 1], every=False) for place in _turns(messages)]
    return [one for one in found if any(one.learnt)]


def mark_text(tokenizer: Any, text: str) -> Marked:
    """A text without a prompt, which is learnt whole, its end included. Raises UserError (`stop-token-untrained`)."""
    if not tokenizer.eos_ids:
        raise _no_stop(tokenizer)
    ids = [*tokenizer.start(text), min(tokenizer.eos_ids)]
    return Marked(tuple(ids), (False, *[True] * (len(ids) - 1)), ids[-1])


def mark_pair(tokenizer: Tokenizer, prompt: Sequence[Message], answer: str) -> tuple[list[int], list[int]]:
    """For an encoder-decoder: what the encoder reads, as the model wants a text, and what the decoder is to write.

    Without a chat template the messages are joined by a newline, as they are when it answers. The answer ends with the
    stop token. Raises UserError (`stop-token-untrained`) where the tokenizer has none.
    """
    if not tokenizer.eos_ids:
        raise _no_stop(tokenizer)
    if tokenizer.chat:
        source = tokenizer.dialogue(list(prompt))
    else:
        text = "\n".join(message.content for message in prompt)
        source = tokenizer.encode([text], max(tokenizer.count([text])))[0]
    return source, [*tokenizer.start(""), *tokenizer.plain([answer])[0], min(tokenizer.eos_ids)]


def join_answers(messages: Sequence[Message]) -> list[Message]:
    """The dialogue with what the assistant said in several messages at a stretch as one, a blank line between them.

    When it is served, a prompt that ends with the assistant is gone on with, so the second message of two was never an
    answer of its own: it is the rest of the first.
    """
    joined: list[Message] = []
    for one in messages:
        if joined and one.role == joined[-1].role == "assistant":
            both = [text for text in (joined[-1].content, one.content) if text.strip()]
            joined[-1] = Message("assistant", "\n\n".join(both))
        else:
            joined.append(one)
    return joined


def _turns(messages: Sequence[Message]) -> list[int]:
    """Where the answers are. A greeting in front of the first question is read, and never asked for."""
    return [place for place, one in enumerate(messages) if one.role == "assistant" and place]


def _ended(tokenizer: Tokenizer, rest: list[int]) -> tuple[list[int], int]:
    """The tokens of an answer up to its stop, and the stop: the first token that ends an answer, or, where none of
    those is written, the last control token that the template writes behind the text."""
    ends = [place for place, number in enumerate(rest) if number in tokenizer.eos_ids]
    ends = ends[:1] or [place for place, number in enumerate(rest) if number in tokenizer.control_ids][-1:]
    if not ends:
        raise _no_stop(tokenizer)
    return rest[: ends[0] + 1], rest[ends[0]]


def _no_stop(tokenizer: Tokenizer) -> UserError:
    # The built-in templates end an answer with the tokenizer's own end token, so they help only where there is one.
    ours = "eos_token" in tokenizer.special and tokenizer.template not in TEMPLATES.values()
    return UserError(
        "stop-token-untrained: nothing ends an answer, so a model trained on it would never stop",
        "choose a chat template that ends answers: models.template=instruct"
        if ours and tokenizer.chat
        else "choose a model whose tokenizer has an end token (eos_token in its tokenizer_config.json)",
    )
