"""The formats that numbers are kept in: their bits, how far they reach and how fine they are."""

from dataclasses import dataclass
from itertools import pairwise

from dragoman.core.config import nearest
from dragoman.core.errors import UserError

__all__ = ["FORMATS", "NF4_LEVELS", "Format", "bytes_of", "format_of", "quantised_bits"]

BLOCK = 64  # weights that share a scale in NF4 (Dettmers et al. 2023, 2305.14314)
SECOND_BLOCK = 256  # scales that share a scale of their own when they are quantised too
# The quantiles of a normal distribution, scaled into [-1, 1], with an exact zero: equally many weights fall on each.
NF4_LEVELS = (
    *(-1.0, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0.0),
    *(0.0795803, 0.1609302, 0.2461123, 0.3379152, 0.4407098, 0.5626170, 0.7229568, 1.0),
)


@dataclass(frozen=True, slots=True)
class Format:
    """How a number is kept. One with an exponent is (-1)^sign x 1.mantissa x 2^(exponent - bias)."""

    name: str
    sign: int
    exponent: int
    "bits of the exponent; 0 where the steps between numbers are equal or stand in a table"
    mantissa: int
    "bits after the point; all bits but the sign of whole numbers"
    stored: float
    "bits a number takes in memory, its share of the scales included"
    ends: str = "ieee"
    "what the largest exponent means: ieee is infinity, finite is one more size of numbers with one pattern for NaN"
    use: str = ""

    @property
    def bits(self) -> int:
        """Bits that tell numbers apart."""
        return self.sign + self.exponent + self.mantissa

    @property
    def bytes(self) -> float:
        """Bytes a number takes in memory."""
        return self.stored / 8

    @property
    def bias(self) -> int:
        """What is taken off the exponent as it is kept."""
        return 2 ** (self.exponent - 1) - 1 if self.exponent else 0

    @property
    def largest(self) -> float:
        """The largest number; 1 where a scale beside it says what 1 means."""
        if self.name == "nf4":
            return 1.0
        if not self.exponent:
            return float(2**self.mantissa - 1)
        top = 2**self.exponent - 1 - (self.ends == "ieee")
        # The largest pattern of a format without infinity is NaN, so the largest number lacks its last bit.
        steps = 2 ** (self.mantissa + 1) - (1 if self.ends == "ieee" else 2)
        return float(steps * 2.0 ** (top - self.bias - self.mantissa))

    @property
    def smallest(self) -> float:
        """The smallest number above 0 that has all its digits."""
        if self.name == "nf4":
            return min(level for level in NF4_LEVELS if level > 0)
        return float(2.0 ** (1 - self.bias)) if self.exponent else 1.0

    @property
    def epsilon(self) -> float:
        """The distance from 1 to the next number; of an NF4 weight, the widest gap between two."""
        if self.name == "nf4":
            return max(high - low for low, high in pairwise(NF4_LEVELS))
        return float(2.0**-self.mantissa) if self.exponent else 1.0


def quantised_bits(bits: int = 4, double: bool = True) -> float:
    """Bits a weight takes in blocks of 64 with a float32 scale each: 4.5; 4.127 when the scales are kept in 8 bits,
    256 of them with a float32 of their own (double quantisation)."""
    scale = 8 + 32 / SECOND_BLOCK if double else 32
    return bits + scale / BLOCK


FORMATS = (
    Format("fp32", 1, 8, 23, 32, use="weights that learn, sums, the optimizer"),
    Format("tf32", 1, 8, 10, 32, use="what matrix units of GPUs read of an fp32"),
    Format("fp16", 1, 5, 10, 16, use="answering; in training small gradients vanish without a loss scale"),
    Format("bf16", 1, 8, 7, 16, use="multiplying in training: fp32's range in half the bytes"),
    Format("fp8_e4m3", 1, 4, 3, 8, "finite", use="weights and states on GPUs that have it"),
    Format("fp8_e5m2", 1, 5, 2, 8, use="gradients on GPUs that have it"),
    Format("int8", 1, 0, 7, 8, use="weights for answering, one scale a row"),
    Format("int4", 1, 0, 3, quantised_bits(4, False), use="weights for answering, one scale for 64"),
    Format("nf4", 0, 0, 4, quantised_bits(4, True), use="the frozen base of QLoRA"),
)


def format_of(name: str) -> Format:
    """The format of that name. Raises UserError with the nearest one."""
    found = next((one for one in FORMATS if one.name == name), None)
    if found is None:
        hint = nearest(name, [one.name for one in FORMATS])
        raise UserError(f"there is no number format named '{name}'", hint)
    return found


def bytes_of(name: str) -> float:
    """Bytes a number of that format takes. Raises UserError where there is none of that name."""
    return format_of(name).bytes
