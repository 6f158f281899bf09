"""Bytes, seconds and the memory a training run will take: words into numbers, numbers into words, and the arithmetic
between."""

import os
import re
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

from dragoman.core.errors import UserError

__all__ = [
    "Memory",
    "Shape",
    "free_memory",
    "parse_bytes",
    "parse_seconds",
    "peak_memory",
    "reset_peak_memory",
    "show_bytes",
    "show_seconds",
]

BYTES = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}
AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


def parse_bytes(text: str, where: str) -> int:
    """`8 GiB` as a number of bytes. Raises UserError naming the setting when it is not an amount with a unit."""
    match = AMOUNT.fullmatch(text)
    if match is None or match[2].lower() not in BYTES or float(match[1]) <= 0:
        raise UserError(f'{where} cannot be "{text}"', f'write an amount with a unit, such as {where}="8 GiB"')
    return int(float(match[1]) * BYTES[match[2].lower()])


def parse_seconds(text: str, where: str) -> float:
    """`15 min` as a number of seconds. Raises UserError naming the setting when it is not a time with a unit."""
    match = AMOUNT.fullmatch(text)
    unit = match[2].lower() if match else ""
    unit = unit if unit in SECONDS else unit.removesuffix("s")
    if match is None or unit not in SECONDS or float(match[1]) <= 0:
        raise UserError(f'{where} cannot be "{text}"', f'write a time with a unit, such as {where}="15 min"')
    return float(match[1]) * SECONDS[unit]


def show_bytes(number: float) -> str:
    """A number of bytes for people: 1.4 GiB, 310 MiB."""
    for unit in ("B", "KiB", "MiB"):
        if abs(number) < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"


def show_seconds(seconds: float) -> str:
    """A length of time for people: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min, 41 days."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    if whole < 3 * 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{round(whole / 86400):,} days"


def reset_peak_memory() -> None:
    """Start a new peak for this process where the system allows it (Linux); elsewhere the peak is that of the whole
    process."""
    path = Path("/proc/self/clear_refs")
    if path.exists():
        try:
            path.write_text("5")
        except OSError:
            return


def peak_memory() -> int:
    """The most bytes this process has held at once since the last reset."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def free_memory() -> int:
    """Bytes that a process may still take: what the machine has free, or what its control group leaves it if less."""
    free = _available()
    for folder, limit, used, cache in (
        ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            group = Path(folder)
            told = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            taken = int((group / used).read_text()) - int(told[cache])  # what is cached of files is given back
            free = min(free, int((group / limit).read_text()) - taken)
        except (OSError, ValueError, KeyError):  # there is no such group, or its limit is "max"
            continue
    return max(free, 0)


def _available() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # no Linux: all of the memory is the best that can be told
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of an encoder that its memory follows from. `body` and `embeddings` count parameters."""

    body: int
    embeddings: int
    width: int
    feed_forward: int
    heads: int
    layers: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What a training run holds at its peak, in bytes, part by part; AdamW keeps two float32 numbers for each learnt
    weight."""

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """All parts together."""
        return self.weights + self.gradients + self.optimizer + self.activations

    @property
    def beside_weights(self) -> int:
        """What training adds to a process in which the model is loaded already."""
        return self.total - self.weights

    @staticmethod
    def of_training(shape: Shape, learnt: int, batch: int, length: int, layers: int, half: bool) -> "Memory":
        """The memory of one step: `learnt` weights learn, the gradient runs back through the top `layers` layers.

        Activations follow Korthikanti et al. 2022 (2205.05198) without the attention matrix, which a fused kernel never
        stores: a layer keeps 32 numbers of the model's width for each token when its feed-forward is four times as wide
        (measured 64.25 bytes * tokens * width in half precision units, twice that in float32).
        """
        wide = shape.width * 16 + shape.feed_forward * 4
        activations = batch * length * wide * layers * (2 if half else 4)
        copies = (shape.body * 2) if half else 0  # autocast keeps a half-precision copy of each matrix during the step
        return Memory((shape.body + shape.embeddings) * 4 + copies, learnt * 4, learnt * 8, activations)
