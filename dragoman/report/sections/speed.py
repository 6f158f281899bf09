"""Speed: tokens in a second over the training, and the share of the machine's peak that was put to use."""

from statistics import median

from dragoman.report.axes import NARROW, WIDE
from dragoman.report.lines import Across, Panel, Series, panels
from dragoman.report.numbers import quality, whole
from dragoman.report.record import Table, rows
from dragoman.report.sections.loss import course
from dragoman.report.smooth import thin

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """The curve and the figures in the middle; None where no speed was noted."""
    noted = rows(record.get("speed")) or rows(record.get("history"))
    speeds = [(x, y) for x, y in course(noted, "tokens_per_second") if y >= 0]
    shares = [(x, 100 * y) for x, y in course(noted, "fraction") if y >= 0]
    if not speeds and not shares:
        return None
    middle, share = (median(y for _, y in points) if points else None for points in (speeds, shares))
    # A share of the peak is the speed in another unit: one curve is enough where both are known.
    if speeds:
        panel = Panel("tokens/s", (Series("", thin(speeds), dots=len(speeds) < 40),), 170, low=0.0, write=whole)
    else:
        panel = Panel("% of the peak", (Series("", thin(shares), dots=len(shares) < 40),), 170, low=0.0, write=whole)
    words = [f"{whole(middle)} tokens/s in the middle"] if middle is not None else []
    words += [f"{quality(share, 1)} % of the machine's peak"] if share is not None else []
    told = ("Speed over the steps of the training", ", ".join(words))
    return {
        "charts": [panels("speed", told, [panel], Across("step"), size) for size in (WIDE, NARROW)],
        "middle": "" if middle is None else whole(middle),
        "share": "" if share is None else quality(share, 1),
    }
