"""What both runners of benchmarks/pretraining.py share: the text, the clock, and the loss that counts."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.side_by_side import ROOT

__all__ = ["LENGTH", "TEXT", "Clock", "parts", "seconds_alive", "whole_loss"]

TEXT = ROOT.parent / "shared" / "data" / "pretrain" / "tinyshakespeare.txt"
LENGTH = 64
"characters of a window"
ROWS = 32
"windows that are measured at a time: what they need stays in the cache (3.9 s on one core; 128 at a time, 5.5 s)"


def seconds_alive() -> float:
    """Seconds since this process began, to a hundredth; since Python began where the system does not tell."""
    stat, uptime = Path("/proc/self/stat"), Path("/proc/uptime")
    if not stat.is_file():
        return time.process_time()
    ticks = int(stat.read_text().rpartition(")")[2].split()[19])
    return float(uptime.read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


@dataclass
class Clock:
    """The seconds of a run: from the start of its process, and from the end of its first step, which may compile."""

    born: float = field(default_factory=lambda: time.perf_counter() - seconds_alive())
    first: tuple[float, float] = (0.0, 0.0)
    "when the first step was done, by the wall and in seconds of all processors"
    last: tuple[float, float] = (0.0, 0.0)
    aside: float = 0.0
    "seconds spent on measuring since the first step"

    def stepped(self) -> None:
        """Say that a step is done."""
        if not self.first[0]:
            self.first = (time.perf_counter(), time.process_time())

    def stop(self) -> None:
        """Say that all is done."""
        self.last = (time.perf_counter(), time.process_time())

    @contextlib.contextmanager
    def measuring(self) -> Iterator[None]:
        """Note how long the block takes, which measures a loss."""
        begun = time.perf_counter()
        yield
        self.aside += time.perf_counter() - begun if self.first[0] else 0.0

    def told(self) -> dict[str, float]:
        """The seconds by what they are of."""
        return {
            "from_start": self.last[0] - self.born,
            "from_step": self.last[0] - self.first[0],
            "processor": self.last[1] - self.first[1],
            "measuring": self.aside,
        }


def parts(path: Path = TEXT) -> tuple[int, Tensor, Tensor]:
    """How many different characters the text has, and the numbers of its first nine tenths and of the rest."""
    text = path.read_text(encoding="utf-8")
    known = {character: number for number, character in enumerate(sorted(set(text)))}
    ids = torch.tensor([known[character] for character in text])
    border = int(0.9 * len(ids))
    return len(known), ids[:border], ids[border:]


@torch.no_grad()
def whole_loss(mean: Callable[[Tensor, Tensor], Tensor], part: Tensor) -> float:
    """The loss of every character of a part but the first, in windows that follow each other.

    `mean` gives the mean loss of labels, [b, s] as the ids. A window sees nothing of the one before.
    """
    count = (len(part) - 1) // LENGTH * LENGTH
    ids, labels = part[:count].view(-1, LENGTH), part[1 : count + 1].view(-1, LENGTH)
    total = sum(float(mean(*both)) * both[1].numel() for both in zip(ids.split(ROWS), labels.split(ROWS), strict=True))
    rest = part[count:]
    if len(rest) > 1:
        total += float(mean(rest[None, :-1], rest[None, 1:])) * (len(rest) - 1)
    return total / (len(part) - 1)
