"""The loss curve: the training loss, what was measured beside it, the schedule, and what the objective told of itself.

A loss is in nats a token where the record names no other unit.
"""

from collections.abc import Sequence
from dataclasses import replace

from dragoman.report.axes import NARROW, WIDE, Size
from dragoman.report.grid import spoken
from dragoman.report.lines import Across, Panel, Series, panels
from dragoman.report.numbers import brief, quality, whole
from dragoman.report.record import Table, number, rows, table, words
from dragoman.report.smooth import running_mean, thin

__all__ = ["best", "course", "stretches", "view"]

Points = list[tuple[float, float]]
# The running mean reaches over this share of the curve to both sides.
_REACH = 0.01
_SMALL = Size("small", 410, 0)
_FEW = 20  # measurements that get a dot each
# Figures whose own name tells too little.
_NAMES = {
    "moved": "half the squared change of log p in a step, nats² a token",
    "clipped": "tokens whose change was clipped, a share",
    "score": "reward, as it is learnt from",
    "chosen": "what chosen answers gained",
    "rejected": "what rejected answers gained",
}


def view(record: Table) -> dict[str, object] | None:
    """The curves over the steps, on plain and on logarithmic axes; None where no loss was noted."""
    history = rows(record.get("history"))
    trained = thin(stretches(table(record.get("losses")))) or course(history, "loss")
    held, measured, rates = course(history, "validation"), course(history, "bits_per_byte"), _rates(record, history)
    if not trained and not held and not measured:
        return None
    unit = words(table(record.get("losses")).get("unit", "nats a token"))
    every = (_training(trained, held, unit), _measured(measured), _schedule(rates))
    shown = [panel for panel in every if panel is not None]
    bent = [replace(panel, log=True) for panel in shown if panel.low is None]
    told = ("Loss over the steps of the training", _told(trained, measured or held, rates, unit))
    last = max(x for points in (trained, held, measured) for x, _ in points)
    return {
        "charts": [panels("loss", told, shown, Across("step"), size) for size in (WIDE, NARROW)],
        "log": [panels("loss-log", told, bent, Across("step", log=True), size) for size in (WIDE, NARROW)],
        "steps": whole(last),
        "trained": bool(trained),
        "smooth": len(trained) >= 1 / _REACH,
        "held": bool(held),
        "measured": bool(measured),
        "rates": len(rates) > 1,
        "small": _figures(table(record.get("figures")), history),
    }


def stretches(losses: Table) -> Points:
    """The mean loss of each stretch of steps, at the middle of the stretch."""
    long, values = number(losses.get("stretch", 1)), losses.get("points")
    if not isinstance(values, Sequence) or isinstance(values, str) or long is None or long <= 0:
        return []
    found = [(place, number(value)) for place, value in enumerate(values)]
    return [((place + 0.5) * long, value) for place, value in found if value is not None]


def course(history: Sequence[Table], key: str, across: str = "step") -> Points:
    """One figure of the evaluations over the steps, in the order of the steps."""
    found = [(number(row.get(across)), number(row.get(key))) for row in history]
    return sorted((x, y) for x, y in found if x is not None and y is not None and x >= 0)


def best(points: Points) -> tuple[float, float] | None:
    """The lowest point, the first of them where there are several."""
    return min(points, key=lambda point: (point[1], point[0]), default=None)


def _rates(record: Table, history: Sequence[Table]) -> Points:
    """The schedule: by stretches where the record has it so, else as it stood at the evaluations."""
    return thin(stretches(table(record.get("rates")))) or course(history, "rate")


def _training(points: Points, held: Points, unit: str) -> Panel | None:
    """The training loss and, in the same unit, the loss on text that was held out."""
    reach, series = int(len(points) * _REACH), []
    if reach >= 1:
        means = running_mean([y for _, y in points], reach)
        series = [
            Series("", points, "faint"),
            Series("training", list(zip((x for x, _ in points), means, strict=True))),
        ]
    elif points:
        series = [Series("training", points)]
    if held:
        # The bits per byte below are the same curve in another unit: there the dots and the ring stand.
        series.append(Series("held out", held, "held", dots=not points))
    return Panel(f"loss, {unit}" if unit else "loss", tuple(series), 210) if series else None


def _measured(points: Points) -> Panel | None:
    if not points:
        return None
    return Panel("held out, bits per byte", (Series("", points, "held", dots=True),), 170, ringed=best(points))


def _schedule(points: Points) -> Panel | None:
    if len(points) < 2:
        return None
    return Panel("learning rate", (Series("", points, "second"),), 70, low=0.0, write=brief)


def _figures(figures: Table, history: Sequence[Table]) -> list[object]:
    """One small chart for each figure that the objective told, and for the same one where it was held out."""
    found: list[object] = []
    for key, points in table(figures.get("points")).items():
        name = _NAMES.get(words(key), spoken(words(key)))
        own = thin(stretches({"stretch": figures.get("stretch", 1), "points": points}))
        held = course(history, words(key))
        lines = [Series("training", own), Series("held out", held, "held", dots=len(held) <= _FEW)]
        lines = [line for line in lines if line.points]
        moved = len({y for line in lines for _, y in line.points}) > 1  # a setting that never changes is no course
        if moved or held:
            told = "; ".join(
                f"{one.name} from {brief(one.points[0][1])} to {brief(one.points[-1][1])}" for one in lines
            )
            panel = Panel(name, tuple(lines), 120, write=brief)
            place = f"figure-{len(found)}"
            found.append(panels(place, (f"{name} over the steps", told), [panel], Across("step"), _SMALL))
    return found


def _told(trained: Points, held: Points, rates: Points, unit: str) -> str:
    said = []
    if trained:
        said.append(f"Training loss from {quality(trained[0][1])} to {quality(trained[-1][1])} {unit}".rstrip())
    lowest = best(held)
    if lowest is not None:
        said.append(
            f"{quality(lowest[1])} on held-out text at best, at step {whole(lowest[0])} of {whole(held[-1][0])}"
        )
    if len(rates) > 1:
        said.append(f"learning rate at most {brief(max(y for _, y in rates))}, at the end {brief(rates[-1][1])}")
    return "; ".join(said)
