"""A text longer than a model reads, cut into windows that overlap, so that every token is seen with its neighbours."""

from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Window", "spread"]


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens `first` to `last` are read together; those from `own` to `end` are answered for here and nowhere else."""

    first: int
    last: int
    own: int
    end: int


def spread(length: int, room: int, overlap: int = -1) -> list[Window]:
    """Windows of at most `room` tokens over a text of `length`; neighbours share at least `overlap` tokens.

    A shared token belongs to the window whose edge is farther away. The last window reaches back as far as it can. A
    negative overlap takes a quarter of the room: BERT's run on SQuAD shared 256 of 384 tokens, which reads each three
    times; a quarter reads each 1.33 times. An empty text has one empty window.
    """
    if room < 1 or overlap >= room:
        raise ValueError(f"windows of {room} tokens cannot share {overlap}")
    overlap = room // 4 if overlap < 0 else overlap
    if length <= room:
        return [Window(0, length, 0, length)]
    starts = [*range(0, length - room, room - overlap), length - room]
    borders = [0, *((one + room + other + 1) // 2 for one, other in pairwise(starts)), length]
    return [Window(start, start + room, borders[place], borders[place + 1]) for place, start in enumerate(starts)]
