"""Writes figures for people: few digits, units, a true minus, and never a rounding that crosses a bound."""

import math

from dragoman.report.record import Figure

__all__ = [
    "MISSING",
    "amount",
    "binary",
    "brief",
    "compact",
    "comparison",
    "duration",
    "memory",
    "milliseconds",
    "probability",
    "quality",
    "ratio",
    "round_duration",
    "signed",
    "spread",
    "tiny",
    "whole",
]

MISSING = "–"
_MOST_DIGITS = 8


def _powers(value: float, digits: int = 2) -> str:
    """4.90e15, 3.1e−6."""
    front, _, power = f"{value:.{digits}e}".partition("e")
    return f"{front}e{int(power)}".replace("-", "−")


def _fixed(value: float, digits: int) -> str:
    if abs(value) >= 1e15:
        return _powers(value)
    text = f"{value:,.{digits}f}"
    if float(text.replace(",", "")) == 0.0:
        return text.lstrip("-")
    return text.replace("-", "−")


def _three(value: float) -> int:
    """The decimals that leave about three digits: 9.87, 98.7, 987."""
    size = abs(value)
    return 2 if size < 9.995 else 1 if size < 99.95 else 0


def comparison(asked: str) -> str:
    """A criterion as print has it: ≥ 0.60."""
    return asked.replace(">=", "≥").replace("<=", "≤")


def whole(value: float | None) -> str:
    """A count: 6,012."""
    return MISSING if value is None else _fixed(value, 0)


def quality(value: float | None, digits: int = 3) -> str:
    """A figure of quality with three decimals: 0.612."""
    return MISSING if value is None else _fixed(value, digits)


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign: +0.081, −0.012, ±0.000."""
    if value is None:
        return MISSING
    text = _fixed(value, digits)
    if not any(mark in "123456789" for mark in text):
        return f"±{text}"
    return text if value < 0 else f"+{text}"


def duration(seconds: float | None) -> str:
    """A time: 42 ms, 0.42 s, 12.3 s, 4 min 12 s, 1 h 05 min."""
    if seconds is None or seconds < 0:
        return MISSING
    if seconds < 0.0995:
        return f"{_fixed(seconds * 1000, 1 if seconds < 0.00995 else 0)} ms" if seconds else "0 s"
    if seconds < 59.95:
        return f"{_fixed(seconds, _three(seconds))} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes:02d} min"


def round_duration(seconds: float) -> str:
    """A round time as an axis names it: 0.1 s, 10 s, 1 min, 10 h."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s")):
        if seconds >= size:
            return f"{seconds / size:,.4g} {unit}"
    return f"{seconds:.4g} s"


def milliseconds(value: float | None) -> str:
    """A latency: 3.21 ms."""
    return MISSING if value is None else f"{_fixed(value, _three(value))} ms"


def memory(megabytes: float | None) -> str:
    """A size: 9.31 MB, 87.3 MB, 1,234 MB, 12.3 GB (1 GB = 1,000 MB)."""
    if megabytes is None:
        return MISSING
    if abs(megabytes) >= 9999.5:
        return f"{_fixed(megabytes / 1000, _three(megabytes / 1000))} GB"
    return f"{_fixed(megabytes, _three(megabytes))} MB"


def binary(size: float | None) -> str:
    """A number of bytes: 312 B, 9.31 KiB, 1.25 GiB (1 GiB = 1,024 MiB), as the settings of memory are written."""
    if size is None:
        return MISSING
    if abs(size) < 1023.5:
        return f"{_fixed(size, 0)} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if abs(size) < 1023.5:
            return f"{_fixed(size, _three(size))} {unit}"
    return f"{_fixed(size / 1024, _three(size / 1024))} TiB"


def compact(count: float | None) -> str:
    """A large count: 12,345, 7.81 M, 124 M, 1.21 B, 2.50 T, 4.90e15."""
    if count is None:
        return MISSING
    if abs(count) < 999_500 or abs(count) >= 1e15:
        return _fixed(count, 0)
    for unit in ("M", "B"):
        count /= 1e6 if unit == "M" else 1e3
        if abs(count) < 999.5:
            return f"{_fixed(count, _three(count))} {unit}"
    return f"{_fixed(count / 1e3, _three(count / 1e3))} T"


def brief(value: float | None) -> str:
    """A setting's value in three digits: 0.0003, 3e−06, 8, 0.25, 16,384."""
    if value is None:
        return MISSING
    if abs(value) >= 1000:
        return _fixed(value, 0) if abs(value) < 1e9 else _powers(value)
    text = f"{value:.3g}"
    front, _, power = text.partition("e")
    return (f"{front}e{int(power)}" if power else text).replace("-", "−")


def probability(p: float | None) -> str:
    """A p value: three decimals, and a bound where they would all be zero."""
    if p is None:
        return MISSING
    return "< 0.001" if p < 0.001 else _fixed(p, 3)


def ratio(value: float | None) -> str:
    """A ratio: 1.12×."""
    return MISSING if value is None else f"{_fixed(value, _three(value))}×"


def tiny(value: float | None) -> str:
    """A numerical difference, by its size: 0, 3.1e−07, 0.002."""
    if value is None:
        return MISSING
    if value == 0 or abs(value) >= 0.001:
        return f"{value:.3g}".replace("-", "−")
    return f"{value:.1e}".replace("-", "−")


def _unit(metric: str) -> str:
    """The unit that the name of a metric ends with; nothing for a figure of quality."""
    last = metric.rsplit("_", 1)[-1]
    return {"ms": " ms", "mb": " MB", "seconds": " s", "s": " s"}.get(last, "")


def _digits(metric: str, value: float, bound: float | None) -> int:
    """Enough decimals that the rounded value stands on the same side of the bound as the value itself."""
    least = _three(value) if _unit(metric) or abs(value) >= 100 else 3
    if least == 3 and 0 < abs(value) < 0.001:
        least = min(_MOST_DIGITS, 1 - math.floor(math.log10(abs(value))))
    if bound is None:
        return least
    for digits in range(least, _MOST_DIGITS + 1):
        shown = round(value, digits)
        if (shown > bound) == (value > bound) and (shown < bound) == (value < bound):
            return digits
    return _MOST_DIGITS


def amount(metric: str, value: float | None, bound: float | None = None) -> str:
    """One value of a metric with the unit of its name; more digits where fewer would put it across the bound."""
    if value is None:
        return MISSING
    return _fixed(value, _digits(metric, value, bound)) + _unit(metric)


def spread(metric: str, measured: Figure | None, bound: float | None = None, *, sign: bool = False) -> str:
    """A figure with its interval: 0.612 [0.584, 0.640], 31.2 ms [30.1, 33.0], +0.081 [+0.052, +0.110]."""
    if measured is None:
        return MISSING
    low, high = measured.ends
    shown = (measured.value, low, high) if measured.wide else (measured.value,)
    largest = max(shown, key=abs)
    least = _digits(metric, largest, None)
    digits = max([least] if bound is None else [least, *(_digits(metric, value, bound) for value in shown)])
    write = signed if sign else quality
    text = write(measured.value, digits) + _unit(metric)
    return f"{text} [{write(low, digits)}, {write(high, digits)}]" if measured.wide else text
