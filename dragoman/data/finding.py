"""What a preflight reports: one finding with its count, its sample and what mends it."""

from dataclasses import dataclass
from typing import Literal

from dragoman.core.types import Example
from dragoman.data.private import mask

__all__ = ["Finding", "Sample", "Severity", "sample_of"]

Severity = Literal["error", "warning", "note"]
SHOWN = 200  # characters of a sample


@dataclass(frozen=True, slots=True)
class Sample:
    """One offending row: its text (cut, secrets masked) and its place."""

    text: str
    place: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the preflight found: an `error` stops the work, a `warning` is to be judged, a `note` is only said."""

    name: str
    severity: Severity
    count: int
    message: str
    sample: Sample | None = None
    hint: str = ""


def sample_of(example: Example, text: str = "") -> Sample:
    """The sample of a row: the text, or what the user says in it, or its answer where nobody asks."""
    # Masked before it is cut: half a secret would not be recognised.
    shown = mask(text or example.text or next(iter(example.answers), ""))
    return Sample(shown if len(shown) <= SHOWN else shown[:SHOWN] + "...", str(example.meta.get("place", "")))
