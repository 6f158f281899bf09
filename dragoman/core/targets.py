"""What good enough means: a metric, a comparison and a bound, written as `macro_f1 = ">= 0.60"` before any work is
done."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dragoman.core.errors import UserError
from dragoman.core.types import Estimate

__all__ = ["Criterion", "Outcome", "criteria", "parse"]

Outcome = Literal["met", "unproven", "missed"]
COMPARISON = re.compile(r"\s*(>=|<=|>|<)\s*([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*(%?)\s*")


@dataclass(frozen=True, slots=True)
class Criterion:
    """One target or limit. `higher` says on which side good lies."""

    metric: str
    op: Literal[">=", "<=", ">", "<"]
    bound: float
    kind: Literal["target", "limit"] = "target"

    @property
    def higher(self) -> bool:
        """True where more is better."""
        return self.op[0] == ">"

    @property
    def asked(self) -> str:
        """The comparison as it was written, such as `>= 0.6`."""
        return f"{self.op} {self.bound:g}"

    def holds(self, value: float) -> bool:
        """Whether a single figure passes. A figure that is not a number never does."""
        passes = {
            ">=": value >= self.bound,
            "<=": value <= self.bound,
            ">": value > self.bound,
            "<": value < self.bound,
        }
        return passes[self.op]

    def outcome(self, estimate: Estimate) -> Outcome:
        """`met` when the bad-side end of the interval passes too, `unproven` when only the figure does, else
        `missed`."""
        if not self.holds(estimate.value):
            return "missed"
        return "met" if self.holds(estimate.low if self.higher else estimate.high) else "unproven"


def parse(metric: str, text: str, kind: Literal["target", "limit"] = "target") -> Criterion:
    """The criterion behind `">= 0.80"` or `">= 80 %"`. Raises UserError when it is not a comparison with a number."""
    match = COMPARISON.fullmatch(text)
    if match is None:
        raise UserError(
            f'scope.{kind}.{metric} cannot be "{text}"'
            if kind == "target"
            else f'scope.limits.{metric} cannot be "{text}"',
            f'write a comparison and a number, such as {metric} = ">= 0.80"',
        )
    op, number, percent = match.groups()
    return Criterion(metric, op, float(number) / (100 if percent else 1), kind)  # type: ignore[arg-type]


def criteria(target: Mapping[str, str], limits: Mapping[str, str]) -> tuple[Criterion, ...]:
    """Every target, then every limit, parsed."""
    targets = [parse(metric, text, "target") for metric, text in target.items()]
    return (*targets, *(parse(metric, text, "limit") for metric, text in limits.items()))
