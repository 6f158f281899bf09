"""What a sweep may try: `1e-4..1e-1 log` and `8,16,32` become the dimensions of a search space."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from dragoman.core.config import nearest, parse_word
from dragoman.core.errors import UserError

__all__ = ["Dimension", "Value", "placed", "read_space", "shown"]

Value = str | int | float | bool
_RANGE = re.compile(r"(\S+?)\.\.(\S+)((?:\s+\S+)*)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_WORDS = ("log", "int")
_EXAMPLE = 'over.train.rate="1e-4..1e-1 log" or over.train.batch=8,16,32'
# What makes trials differ in more than their settings: the luck of a seed, or how long they learn.
_FIXED = {
    "train.seed": "every trial has the same seed; another one is seed=1",
    "train.steps": "every trial learns from as much; say how much with train.steps=500",
    "train.epochs": "every trial learns from as much; say how much with train.epochs=1",
    "train.every": "a trial is measured where it may be stopped; leave over.train.every out",
    "train.patience": "eta and least say when a trial is stopped; leave over.train.patience out",
}


@dataclass(frozen=True, slots=True)
class Dimension:
    """One setting and the values it may take: those of `choices`, or where there are none all from low to high."""

    name: str
    "dotted, as `train.rate`"
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    choices: tuple[Value, ...] = ()

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values to try whether the setting can be swept at all: every choice, or both ends."""
        return self.choices or (self.exact(self.low), self.exact(self.high))

    def exact(self, value: float) -> Value:
        """A number of the range as it is set and shown: whole, or with three digits, which is finer than any noise."""
        return round(value) if self.whole else float(f"{value:.3g}")

    def grid(self, points: int) -> tuple[Value, ...]:
        """The choices, or so many values from low to high, both ends included and evenly spaced (by ratio for log)."""
        if self.choices:
            return self.choices
        shares = [place / max(points - 1, 1) for place in range(points)]
        if self.log:
            found = [math.exp(math.log(self.low) + share * math.log(self.high / self.low)) for share in shares]
        else:
            found = [self.low + share * (self.high - self.low) for share in shares]
        return tuple(dict.fromkeys(self.exact(value) for value in found))


def read_space(over: Mapping[str, Any]) -> tuple[Dimension, ...]:
    """The dimensions of the words after `over.`, in their order. Raises UserError for one that cannot be swept."""
    found = []
    for path, value in _leaves(over, ()):
        name = ".".join(path)
        if name in _FIXED:
            raise UserError(f"{name} is not swept over", _FIXED[name])
        found.append(_dimension(name, value))
    return tuple(found)


def _leaves(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each setting with its path; `over.tuning=head,lora over.tuning.rank=4,8` holds the first under an empty name."""
    for name, value in table.items():
        inner = (*path, name) if name else path
        if isinstance(value, Mapping):
            yield from _leaves(value, inner)
        else:
            yield inner, value


def _dimension(name: str, value: Any) -> Dimension:
    match = _RANGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match:
        return _range(name, match[1], match[2], match[3].split())
    if isinstance(value, str):
        value = [parse_word(f"value={part.strip()}")[1] for part in value.split(",") if part.strip()]
    listed = list(value) if isinstance(value, list | tuple) else [value]
    if any(not isinstance(one, str | int | float) for one in listed):
        raise UserError(f"over.{name} can hold numbers and texts alone", f"write it as {_EXAMPLE}")
    choices = tuple(dict.fromkeys(listed))
    if len(choices) < 2:
        told = ", ".join(map(str, choices)) or "nothing"
        raise UserError(f"over.{name} holds nothing to choose from: {told}", f"a range or a list: {_EXAMPLE}")
    return Dimension(name, choices=choices)


def _range(name: str, first: str, last: str, words: list[str]) -> Dimension:
    """`8..64`, `1e-4..1e-1 log`, `4..256 log int`; between whole numbers that lie apart, whole ones are tried."""
    for word in words:
        if word not in _WORDS:
            raise UserError(f"over.{name} does not know '{word}' behind a range", nearest(word, _WORDS))
    if not (_NUMBER.fullmatch(first) and _NUMBER.fullmatch(last)):
        raise UserError(f"over.{name} cannot be '{first}..{last}'", f"a range has two numbers: {_EXAMPLE}")
    low, high = float(first), float(last)
    if not low < high:
        raise UserError(f"over.{name} goes from {first} to {last}", f"the lower end comes first: {_EXAMPLE}")
    if "log" in words and low <= 0:
        raise UserError(f"over.{name} cannot be logarithmic from {first} on", "let it begin above 0, or leave log out")
    apart = first.lstrip("+-").isdigit() and last.lstrip("+-").isdigit() and high - low > 1
    whole = "int" in words or apart
    if whole and not (low.is_integer() and high.is_integer()):
        raise UserError(f"over.{name} has no whole number at both ends", f'write it as over.{name}="8..64 int"')
    return Dimension(name, low, high, "log" in words, whole)


def placed(space: tuple[Dimension, ...], points: int) -> list[dict[str, Value]]:
    """Every point of the grid, the last dimension changing fastest."""
    rows = product(*(one.grid(points) for one in space))
    return [{one.name: value for one, value in zip(space, row, strict=True)} for row in rows]


def shown(value: Value) -> str:
    """A value as a command takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
