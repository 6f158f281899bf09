"""The learning-rate range test: the loss while the rate rises, and the rate that was chosen by it (Smith, 2017)."""

from collections.abc import Sequence
from statistics import median

from dragoman.report.axes import NARROW, WIDE
from dragoman.report.lines import Across, Panel, Series, panels
from dragoman.report.numbers import brief, quality
from dragoman.report.record import Table, number, table
from dragoman.report.smooth import running_mean, thin

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """The curve and the chosen rate; None where no loss was noted."""
    found = table(record.get("range_test"))
    points = thin(_points(found.get("points")), 300)
    chosen = number(found.get("chosen"))
    chosen = chosen if chosen is not None and chosen > 0 else None
    if not points:
        return None
    losses = [loss for _, loss in points]
    low = min(losses)
    # Where the rate is too high the loss leaves all bounds, and would press what matters into one line.
    start = median(losses[: max(len(losses) // 10, 1)])
    high = start + 0.5 * (start - low) if start > low else None
    high = high if high is not None and max(losses) > high else None
    mean = list(zip((rate for rate, _ in points), running_mean(losses, len(points) // 40), strict=True))
    panel = Panel("loss, nats a token", (Series("", points, "faint"), Series("", mean)), 240, high=high)
    marked = None if chosen is None else (chosen, f"chosen {brief(chosen)}")
    told = (
        "Loss against the learning rate",
        f"Loss between {quality(low)} and {quality(max(losses))} for rates from {brief(points[0][0])} to "
        f"{brief(points[-1][0])}" + (f"; chosen: {brief(chosen)}" if chosen else ""),
    )
    across = Across("learning rate", log=True, marked=marked)
    return {
        "charts": [panels("range-test", told, [panel], across, size) for size in (WIDE, NARROW)],
        "chosen": "" if chosen is None else brief(chosen),
        "clipped": high is not None,
    }


def _points(value: object) -> list[tuple[float, float]]:
    """The pairs of rate and loss that can stand on a logarithmic axis, by rate."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    pairs = [one for one in value if isinstance(one, Sequence) and not isinstance(one, str) and len(one) == 2]
    found = [(number(rate), number(loss)) for rate, loss in pairs]
    return sorted((rate, loss) for rate, loss in found if rate is not None and loss is not None and rate > 0)
