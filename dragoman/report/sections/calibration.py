"""Calibration: whether a confidence of 0.8 is right eight times in ten."""

from dragoman.report.curves import Bin, calibration
from dragoman.report.numbers import quality, spread
from dragoman.report.record import Table, count, figure, number, rows, table

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """The curve and the expected calibration error; None where the record has neither."""
    found = table(record.get("calibration"))
    bins = []
    for row in rows(found.get("bins")):
        confidence, accuracy, size = number(row.get("confidence")), number(row.get("accuracy")), count(row.get("count"))
        if confidence is not None and accuracy is not None and size is not None and size > 0:
            bins.append(Bin(confidence, accuracy, size))
    error, null = figure(found.get("ece")), number(found.get("null"))
    if not bins and error is None:
        return None
    return {
        "chart": calibration(bins) if bins else None,
        "ece": spread("ece", error) if error else "",
        "null": "" if null is None else quality(null),
        "judged": _judged(error.ends[0] if error else None, null),
    }


def _judged(low: float | None, null: float | None) -> str:
    """In words, against what chance alone gives a perfectly calibrated model of as many rows."""
    if low is None or null is None:
        return ""
    if low > null:
        return "The error is larger than chance alone explains: read the confidences with care."
    return "The error is no larger than chance alone explains."
