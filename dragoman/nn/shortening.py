"""A dialogue or a text that is longer than a row, shortened as serving could still read it, its answer whole.

What goes is what people said, never what the template wrote: the row begins as every prompt does, and its prompt is
`Tokenizer.dialogue` of the shorter messages.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dragoman.core.types import Message
from dragoman.nn.marking import Marked, mark
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["shorten_beginning"]

HEADS = ("system", "developer")
TRIES = 6  # one is enough unless the tokens change where a text was cut


def shorten_beginning(tokenizer: Any, marked: Marked, room: int) -> Marked | None:
    """The row with at most `room` tokens read, its beginning shortened; None where its last answer alone is too long.

    The token behind each one is predicted, so a row of room + 1 tokens fits. Of a dialogue the oldest questions go with
    their answers, a system message stays; where the last question alone is too long, its longest messages lose their
    beginnings, but for a first paragraph that is short (an instruction). Plain text keeps its end, behind what every
    text begins with.
    """
    if len(marked.ids) - 1 <= room:
        return marked
    if not marked.messages:
        return _end_of_text(tokenizer, marked, room)
    heads, asked = _parts(marked.messages)
    # The fewest exchanges that must go; with fewer left a row is never longer.
    low, high, found = 1, len(asked) - 1, None
    while low <= high:
        middle = (low + high) // 2
        tried = mark(tokenizer, [*heads, *(one for part in asked[middle:] for one in part)], marked.every)
        if len(tried.ids) - 1 <= room:
            found, high = tried, middle - 1
        else:
            low = middle + 1
    return found if found is not None else _last_question(tokenizer, heads, asked[-1], room, marked.every)


def _end_of_text(tokenizer: Any, marked: Marked, room: int) -> Marked:
    head = tokenizer.start("")[: max(0, room - 1)]
    tail = marked.ids[len(marked.ids) - (room + 1 - len(head)) :]
    # The first of the tail is read and never predicted: no text begins with it.
    learnt = [False] * (len(head) + 1) + [True] * (len(tail) - 1)
    return replace(marked, ids=(*head, *tail), learnt=tuple(learnt))


def _parts(messages: Sequence[Message]) -> tuple[list[Message], list[list[Message]]]:
    """The messages in front that stay, and the exchanges: each begins with a message of the user."""
    count = next((place for place, one in enumerate(messages) if one.role not in HEADS), len(messages))
    asked: list[list[Message]] = []
    for place, one in enumerate(messages[count:]):
        opens = one.role == "user" and (not place or messages[count + place - 1].role != "user")
        if opens or not asked:
            asked.append([])
        asked[-1].append(one)
    return list(messages[:count]), asked


def _last_question(
    tokenizer: Tokenizer, heads: Sequence[Message], messages: Sequence[Message], room: int, every: bool
) -> Marked | None:
    """The last exchange with its longest questions and results cut to what fits."""
    marked = mark(tokenizer, [*heads, *messages], every)
    places = [place for place, one in enumerate(messages) if one.role not in (*HEADS, "assistant")]
    sizes = [len(ids) for ids in tokenizer.plain([messages[place].content for place in places])]
    goal, least = sum(sizes) - (len(marked.ids) - 1 - room), len(sizes)
    for _ in range(TRIES):
        if goal < least:
            return None
        most = _level(sizes, goal)
        shorter = list(messages)
        for place, size in zip(places, sizes, strict=True):
            if size > most:
                text = _without_beginning(tokenizer, messages[place].content, most)
                shorter[place] = replace(messages[place], content=text)
        marked = mark(tokenizer, [*heads, *shorter], every)
        if len(marked.ids) - 1 <= room:
            return marked
        goal -= len(marked.ids) - 1 - room
    return None


def _level(sizes: Sequence[int], goal: int) -> int:
    """The largest number of tokens to which each text may be cut so that all together have at most `goal`."""
    left = goal
    for number, size in enumerate(sorted(sizes)):
        level = left // (len(sizes) - number)
        if size > level:
            return level
        left -= size
    return max(sizes)


def _without_beginning(tokenizer: Tokenizer, text: str, most: int) -> str:
    """The end of a text in about so many tokens, its first paragraph kept where that is less than half of them."""
    first, gap, rest = text.partition("\n\n")
    if rest.strip():
        size = len(tokenizer.plain([first + gap])[0])
        if 2 * size <= most:
            return first + gap + _end(tokenizer, rest, most - size)
    return _end(tokenizer, text, most)


def _end(tokenizer: Tokenizer, text: str, most: int) -> str:
    [(_, spans)] = tokenizer.locate([text])
    return text[spans[-most][0] :] if 0 < most < len(spans) else text
