"""An engine that repeats what it is asked, a word a step, and remembers who asked; for tests of what stands around."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from dragoman.core.engine import Asked, Piece
from dragoman.core.errors import UserError

__all__ = ["Scripted"]


@dataclass
class Scripted:
    """Writes the words of the prompt's last message, one a step, for all under way. `pause` is a step's time."""

    rows: int = 4
    longest: int = 64
    chat: bool = True
    pause: float = 0.0
    breaks: str = ""
    "a step with a prompt that holds this raises"
    names: tuple[str, ...] = ()
    steps: int = 0
    most: int = 0
    "the most requests that were under way"
    asked: list[Asked] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    "steps wait for it; set at first"
    _under_way: dict[int, tuple[Asked, list[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate.set()

    def count(self, asked: Asked) -> int:
        words = self._words(asked)
        if not words:
            raise UserError("the prompt says nothing", "write something")
        if len(words) > self.longest:
            raise UserError("the prompt is too long", "shorten it")
        return len(words)

    def add(self, asked: Asked) -> None:
        self.asked.append(asked)
        self._under_way[asked.number] = asked, self._words(asked)[: asked.how.max_tokens]
        self.most = max(self.most, len(self._under_way))

    def cancel(self, number: int) -> None:
        self.cancelled.append(number)
        self._under_way.pop(number, None)

    def step(self) -> list[Piece]:
        self.gate.wait(10)
        time.sleep(self.pause)
        self.steps += 1
        pieces = []
        for number, (asked, words) in list(self._under_way.items()):
            if self.breaks and self.breaks in asked.prompt[-1].content:
                raise RuntimeError(asked.prompt[-1].content)
            read = len(self._words(asked)) if len(words) == len(self._words(asked)[: asked.how.max_tokens]) else 0
            word, last = words.pop(0), not words
            for index in range(asked.how.n):
                finish = ("length" if asked.how.max_tokens < len(self._words(asked)) else "stop") if last else ""
                text = word if last else f"{word} "
                pieces.append(Piece(number, index, text, (), 1, finish, read=read if not index else 0))
            if last:
                del self._under_way[number]
        return pieces

    def busy(self) -> int:
        return len(self._under_way)

    def healthy(self) -> bool:
        return True

    def adapters(self) -> tuple[str, ...]:
        return self.names

    def close(self) -> None:
        self._under_way.clear()

    def _words(self, asked: Asked) -> Sequence[str]:
        return asked.prompt[-1].content.split()
