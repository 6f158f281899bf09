"""The live line of a training: how far it is, its loss and where that goes, speed, memory, and the time left."""

import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from dragoman.core.sizing import show_bytes, show_seconds

__all__ = ["Gauge", "columns", "spark"]

BARS = "▁▂▃▄▅▆▇█"
SPARKS = 8
WINDOW = 10.0  # seconds that speed and loss are means of: shorter flickers, longer hides that it became slower
FEWEST, MOST = 8, 200  # steps in that window, where they are slow and where they are quick
POINTS = 64
INDENT = 4  # columns that the board keeps free beside the line


@dataclass(frozen=True, slots=True)
class _Sample:
    """What one call of `add` told."""

    loss: float
    tokens: int
    seconds: float


@dataclass
class _Trace:
    """The losses since the beginning, at most `POINTS` means of equal stretches: a full trace halves itself."""

    means: list[float] = field(default_factory=list)
    stretch: int = 1
    open: list[float] = field(default_factory=list)

    def add(self, loss: float) -> None:
        self.open.append(loss)
        if len(self.open) < self.stretch:
            return
        self.means.append(sum(self.open) / len(self.open))
        self.open = []
        if len(self.means) == POINTS:
            self.means = [(one + two) / 2 for one, two in zip(self.means[::2], self.means[1::2], strict=True)]
            self.stretch *= 2


@dataclass
class Gauge:
    """The measurements of a training as one line. Call `add` after each step, then `tick(gauge.done, gauge.line())`."""

    steps: int
    "steps planned; 0 where nobody knows: then there is no time left to tell"
    flops_per_token: float = 0.0
    "floating-point operations that learning from one token takes"
    peak_flops: float = 0.0
    "what the machine can do in a second; 0 leaves the fraction of it out"
    clock: Callable[[], float] = time.monotonic
    step: int = 0
    memory: float = 0.0
    begun: tuple[int, float] | None = None
    "the step and the time of the first call: the first step is left out of the pace, it may have compiled the model"
    last: float = 0.0
    window: deque[_Sample] = field(default_factory=deque)
    trace: _Trace = field(default_factory=_Trace)

    def add(self, step: int, loss: float, tokens: int, memory: float = 0.0, seconds: float | None = None) -> None:
        """Take in that `step` is done: its mean loss in nats, its tokens, and the bytes held.

        `seconds` is the time the step took, measuring and saving left out; without it, all time since the call before
        counts. A loss that is not finite is left out of the mean and the picture.
        """
        now = self.clock()
        spent = now - self.last if seconds is None else seconds
        self.step, self.memory, self.last = step, memory or self.memory, now
        if math.isfinite(loss):
            self.trace.add(loss)
        if self.begun is None:
            self.begun = (step, now)
            if seconds is None:  # nobody knows when the first step began
                tokens, spent = 0, 0.0
        self.window.append(_Sample(loss, tokens, max(spent, 0.0)))
        kept = sum(one.seconds for one in self.window)
        while len(self.window) > MOST or (len(self.window) > FEWEST and kept - self.window[0].seconds > WINDOW):
            kept -= self.window.popleft().seconds

    @property
    def done(self) -> float:
        """The share of the steps that is done, in [0, 1]."""
        return min(max(self.step / self.steps, 0.0), 1.0) if self.steps > 0 else 0.0

    @property
    def loss(self) -> float | None:
        """The mean loss of the last seconds."""
        known = [one.loss for one in self.window if math.isfinite(one.loss)]
        return sum(known) / len(known) if known else None

    @property
    def speed(self) -> float | None:
        """Tokens in a second, over the last seconds."""
        spent = sum(one.seconds for one in self.window)
        return sum(one.tokens for one in self.window) / spent if spent > 0 else None

    @property
    def fraction(self) -> float | None:
        """The share of the machine's peak that is put to use (model FLOPs utilisation, Chowdhery et al. 2022)."""
        if self.speed is None or self.peak_flops <= 0 or self.flops_per_token <= 0:
            return None
        return self.speed * self.flops_per_token / self.peak_flops

    @property
    def left(self) -> float | None:
        """Seconds to the last step at the mean pace so far, measuring and saving included; never below zero."""
        if self.steps <= 0 or self.begun is None:
            return None
        first, since = self.begun
        if self.step <= first:
            return 0.0 if self.step >= self.steps else None
        return max(self.last - since, 0.0) / (self.step - first) * max(self.steps - self.step, 0)

    def line(self, width: int = 0, told: str = "") -> str:
        """The line in at most `width` columns, 0 for those of the terminal; what matters least is dropped first.

        `told` are figures besides the loss, in words: where there are any, they say more than it does.
        """
        width = width or columns() - INDENT
        parts = self._parts(told)
        for least in ("memory", "fraction", "spark", "speed", "loss", "told", "left"):
            if len(_joined(parts)) <= width:
                break
            parts.pop(least, None)
        line = _joined(parts)
        return line if len(line) <= width else line[: max(width - 1, 0)] + "…"

    def _parts(self, told: str) -> dict[str, str]:
        """The parts in the order in which they stand."""
        whole = f"step {self.step:,} of {self.steps:,}" if self.steps > 0 else f"step {self.step:,}"
        means = self.trace.means[len(self.trace.means) // 2 :] if len(self.trace.means) > SPARKS else self.trace.means
        found = {
            "step": whole,
            "loss": "" if self.loss is None else f"loss {self.loss:.3f}",
            "spark": spark(means),
            "told": told,
            "speed": "" if not self.speed else f"{self.speed:,.0f} tokens/s",
            "fraction": "" if self.fraction is None else f"{100 * self.fraction:.0f} % of peak",
            "memory": show_bytes(self.memory) if self.memory > 0 else "",
            "left": "" if self.left is None else f"{show_seconds(self.left)} left",
        }
        return {name: text for name, text in found.items() if text}


def _joined(parts: dict[str, str]) -> str:
    """The parts with dots between; the picture stands beside the loss."""
    line = ""
    for name, text in parts.items():
        line += text if not line else f" {text}" if name == "spark" else f" · {text}"
    return line


def spark(values: Sequence[float], width: int = SPARKS) -> str:
    """The values as a row of bars, at most `width` of them, each the mean of a stretch; nothing below two values."""
    known = [value for value in values if math.isfinite(value)]
    if len(known) < 2:
        return ""
    count = min(len(known), width)
    edges = [len(known) * place // count for place in range(count + 1)]
    means = [sum(known[low:high]) / (high - low) for low, high in pairwise(edges)]
    low, high = min(means), max(means)
    if high <= low:
        return BARS[3] * count
    return "".join(BARS[round((mean - low) / (high - low) * (len(BARS) - 1))] for mean in means)


def columns() -> int:
    """How wide the terminal of standard error is; 80 where there is none, and where it says nothing."""
    try:
        return os.get_terminal_size(sys.__stderr__.fileno()).columns or 80 if sys.__stderr__ else 80
    except (OSError, ValueError):
        return 80
