"""How an example is learnt, token by token: what is read, what is to be predicted, what `max_length` cuts away.

Nothing here needs torch: it says of each token what the objectives `sft` and `seq2seq` do with it, so that the checks
and the coloured tokens speak of the training that will be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.data.check import Sample
from dragoman.data.private import mask
from dragoman.nn.marking import Marked, join_answers, mark, mark_pair, mark_text, mark_turns
from dragoman.nn.shortening import shorten_beginning
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["Failed", "Reading", "Taught", "dialogue_of", "drifts", "rows_of", "sample_of"]

SHOWN = 200  # characters of a sample


@dataclass(frozen=True, slots=True)
class Reading:
    """How a model is to read examples while it learns, and where it stops when it answers."""

    max_length: int = 128
    turns: Literal["every", "last"] = "every"
    cut: Literal["left", "right", "drop"] = "left"
    pairs: bool = False
    "whether it is an encoder-decoder, which reads the prompt apart"
    ends: frozenset[int] = frozenset()
    "the tokens on which generation stops; empty takes the tokenizer's"


@dataclass(frozen=True, slots=True)
class Taught:
    """One row as it is learnt. For each token: whether it is to be predicted, and whether it is within max_length."""

    example: Example
    ids: tuple[int, ...]
    learnt: tuple[bool, ...]
    "before the cut"
    kept: tuple[bool, ...]
    predicted: tuple[bool, ...]
    "what is left to learn after the cut"
    stop: int | None
    border: int
    "where the last answer begins"

    @property
    def cut(self) -> bool:
        """Whether it was too long."""
        return not all(self.kept)

    @property
    def stops(self) -> bool:
        """Whether the end of the last answer is learnt."""
        return bool(self.predicted) and self.predicted[-1] and self.ids[-1] == self.stop


@dataclass(frozen=True, slots=True)
class Failed:
    """An example that cannot be learnt at all, and the name and the words of what is wrong with it."""

    example: Example
    name: str
    message: str


def sample_of(example: Example) -> Sample:
    """An example as findings show it: its texts, cut, secrets masked; and its place as far as that is known."""
    # Masked before it is cut: half a secret would not be recognised.
    text = mask(" | ".join([*(message.content for message in example.prompt), *example.answers[:1]]))
    place = str(example.meta.get("place", example.meta.get("id", "")))
    return Sample(text if len(text) <= SHOWN else text[:SHOWN] + "...", place)


def dialogue_of(example: Example) -> list[Message]:
    """The messages of an example with its answer behind them, what the assistant says at a stretch in one."""
    return join_answers([*example.prompt, Message("assistant", example.answers[0])])


def rows_of(tokenizer: Tokenizer, example: Example, reading: Reading) -> list[Taught] | Failed:
    """The rows of an example: one, or one an answer where the chat template changes what it wrote before."""
    if not example.answers or not example.answers[0].strip():
        return Failed(example, "answer-empty", "there is no answer to learn")
    try:
        if reading.pairs:
            return [_paired(tokenizer, example, reading)]
        if not example.prompt:
            return [_cut(tokenizer, example, mark_text(tokenizer, example.answers[0]), reading)]
        every = reading.turns == "every"
        found = mark_turns(tokenizer, dialogue_of(example), every)
        if not found:
            return Failed(example, "answer-empty", "the chat template leaves nothing of the answer")
        return [_cut(tokenizer, example, one, reading) for one in found]
    except UserError as error:
        name, _, rest = str(error).partition(": ")
        named = bool(rest) and " " not in name
        refused = "refuses" in str(error)
        said = rest if named else str(error)
        return Failed(example, name if named else "template-refuses" if refused else "not-readable", said)


def drifts(tokenizer: Tokenizer, example: Example) -> bool:
    """Whether the template writes an earlier part of the dialogue otherwise once there is more of it."""
    try:
        mark(tokenizer, dialogue_of(example), every=True)
    except UserError as error:
        return str(error).startswith("template-drift")
    return False


def _cut(tokenizer: Tokenizer, example: Example, marked: Marked, reading: Reading) -> Taught:
    """A row of a decoder: the token behind each is predicted, so one more than max_length can be learnt from."""
    size, room = len(marked.ids), reading.max_length
    if size - 1 > room and reading.cut == "left":
        return _shortened(example, marked, shorten_beginning(tokenizer, marked, room))
    kept, predicted = [True] * size, list(marked.learnt)
    if size - 1 > room:
        most = room if reading.cut == "right" else 0
        kept = [place < most for place in range(size)]
        predicted = [learnt and place < most for place, learnt in enumerate(marked.learnt)]
    border = _border(marked)
    return Taught(example, marked.ids, marked.learnt, tuple(kept), tuple(predicted), marked.stop, border)


def _shortened(example: Example, marked: Marked, short: Marked | None) -> Taught:
    """A row that lost its beginning: the tokens that are read as they are read, and what is lost where it stood."""
    if short is None or not any(short.learnt):
        none = (False,) * len(marked.ids)
        return Taught(example, marked.ids, marked.learnt, none, none, marked.stop, _border(marked))
    front = _shared(marked.ids, short.ids)
    back = _shared(marked.ids[front:][::-1], short.ids[front:][::-1])
    lost, border = len(marked.ids) - front - back, _border(short)
    read = slice(front, len(short.ids))
    ids = (*short.ids[:front], *marked.ids[front : front + lost], *short.ids[read])
    gone = (False,) * lost
    learnt = (*short.learnt[:front], *marked.learnt[front : front + lost], *short.learnt[read])
    kept = (*(True,) * front, *gone, *(True,) * (len(short.ids) - front))
    predicted = (*short.learnt[:front], *gone, *short.learnt[read])
    return Taught(example, ids, learnt, kept, predicted, marked.stop, border + lost if border >= front else border)


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many numbers both begin with."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(map(len, (one, other)))
    )


def _border(marked: Marked) -> int:
    """Where the last answer begins."""
    size = len(marked.learnt)
    return size - next((back for back, one in enumerate(reversed(marked.learnt)) if not one), size)


def _paired(tokenizer: Tokenizer, example: Example, reading: Reading) -> Taught:
    """A pair of an encoder-decoder: each side has max_length tokens of its own."""
    source, answer = mark_pair(tokenizer, example.prompt, example.answers[0])
    room, (before, after) = reading.max_length, tokenizer.around
    long = len(source) > room or len(answer) > room
    most = room - len(before) - len(after)
    inside = len(source) - len(before) - len(after)
    first = len(before) + (inside - most if reading.cut == "left" and inside > most else 0)
    last = len(before) + (inside if reading.cut == "left" or inside <= most else most)
    kept = [
        place < len(before) or place >= len(before) + inside or first <= place < last for place in range(len(source))
    ]
    kept += [place < room for place in range(len(answer))]
    if long and reading.cut == "drop":
        kept = [False] * len(kept)
    lead = len(tokenizer.start(""))  # BART writes its <s> by itself
    learnt = [False] * (len(source) + lead) + [True] * (len(answer) - lead)
    predicted = [one and here for one, here in zip(learnt, kept, strict=True)]
    ids = (*source, *answer)
    return Taught(example, ids, tuple(learnt), tuple(kept), tuple(predicted), answer[-1], len(source) + lead)
