"""Alignment: what a policy's reward cost in distance from the model as it was, and which alarms rang on the way."""

import math
from collections.abc import Sequence

from dragoman.report.axes import NARROW, WIDE, Size
from dragoman.report.grid import Cell, Grid, grid, spoken
from dragoman.report.lines import Across, Panel, Series, panels
from dragoman.report.numbers import brief, quality, signed, spread, whole
from dragoman.report.passage import passage
from dragoman.report.record import Table, count, figure, number, rows, table, words
from dragoman.report.sections.loss import course

__all__ = ["view"]

Points = list[tuple[float, float]]
_SMALL = Size("small", 410, 0)
_FAR = "√KL to the model as it was, in √nats an answer"
_REWARDS = {"reward": "reward", "gold": "held-out reward"}
# What is drawn over the steps, in this order: the name of each axis, and how its line looks.
_COURSES = {
    "reward": ("reward", ""),
    "gold": ("held-out reward", "held"),
    "kl": ("KL to the model as it was, nats an answer", ""),
    "entropy": ("entropy, nats a token", ""),
    "length": ("length, tokens an answer", ""),
    "distinct_2": ("pairs of tokens that differ, a share", ""),
    "natural_loss": ("loss on general text, nats a token", ""),
    "disagreement": ("how far the reward models are apart", ""),
}
# The figure in which an alarm is seen; the first of these that was measured is ringed at its step.
_SEEN = {
    "reward-hacking": ("gold",),
    "kl-runaway": ("kl",),
    "length-exploit": ("length",),
    "mode-collapse": ("distinct_2", "entropy"),
    "reward-model-untrusted": ("disagreement",),
}


def view(record: Table) -> dict[str, object] | None:
    """The charts, the alarms and the answers before and after; None where nothing of them is known."""
    told = table(record.get("alignment"))
    history = sorted(rows(told.get("history")), key=lambda point: number(point.get("step")) or 0.0)
    alarms, kept = _alarms(told), count(told.get("kept_step"))
    far, samples = _far(history, rows(told.get("best_of_n")), kept), [_sample(row) for row in rows(told.get("samples"))]
    small = _courses(history, kept, rows(told.get("alarms")))
    if not (far or small or alarms or samples):
        return None
    return {
        "said": _said(told, history, kept),
        "quiet": isinstance(told.get("alarms"), list | tuple) and alarms is None,
        "alarms": alarms,
        "far": far,
        "best_of_n": _best_of_n(rows(told.get("best_of_n"))),
        "small": small,
        "kept": kept is not None,
        "ringed": alarms is not None,
        "samples": samples,
    }


def _said(told: Table, history: Sequence[Table], kept: int | None) -> list[str]:
    """What came of it, in sentences: the gain, the state that is kept, and why the training ended."""
    said, gain = [], figure(told.get("gain"))
    if gain is not None:
        rest = "" if gain.n is None else f" on {whole(gain.n)} prompts"
        rest += " that chose no state" if told.get("others") is True else ""
        said.append(f"The reward of the same prompts changed by {spread('', gain, sign=True)}{rest}.")
    point = next((point for point in history if number(point.get("step")) == kept), None)
    if kept is not None:
        last = max((number(row.get("step")) or 0.0 for row in history), default=0.0)
        where = f"step {whole(kept)}" + (f" of {whole(last)}" if last > kept else "")
        kl = None if point is None else number(point.get("kl"))
        rest = "" if kl is None else f", {quality(kl, 2)} nats an answer from the model as it was"
        said.append(f"Kept is {where}{rest}." if kept else "Kept is the model as it was: no later state was better.")
    stopped = words(told.get("stopped"))
    return [*said, f"It ended early: {stopped}."] if stopped else said


def _alarms(told: Table) -> Grid | None:
    """The alarms in the order in which they rang."""
    found = sorted(rows(told.get("alarms")), key=lambda row: number(row.get("step")) or 0.0)
    return grid(
        "Alarms",
        ("alarm", "step", "what was seen"),
        [
            [
                Cell(words(row.get("name")), tone="missed"),
                Cell(whole(number(row.get("step"))), kind="count"),
                Cell(words(row.get("said"))),
            ]
            for row in found
            if words(row.get("name"))
        ],
    )


def _along(points: Sequence[Table], key: str) -> Points:
    """One figure against the root of the KL, in the order of the points; a KL below 0, which is noise, counts as 0."""
    found = [(number(point.get("kl")), number(point.get(key))) for point in points]
    return [(math.sqrt(max(kl, 0.0)), value) for kl, value in found if kl is not None and value is not None]


def _far(history: Sequence[Table], chosen: Sequence[Table], kept: int | None) -> list[object]:
    """Reward and held-out reward against the root of the KL, beside those of the best of n (Gao et al., 2022)."""
    shown, told = [], []
    for key, name in _REWARDS.items():
        lines = [Series("policy", _along(history, key), "held" if key == "gold" else "")]
        lines += [Series("best of n", _along(chosen, key), "projected")]
        lines = [line for line in lines if line.points]
        if any(len(line.points) > 1 for line in lines):
            shown.append(Panel(name, tuple(lines), 200))
            told += [f"{name} of the {line.name}: {_ends(line.points)}" for line in lines]
    if not shown:
        return []
    place = next((x for point in history if number(point.get("step")) == kept for x, _ in _along([point], "kl")), None)
    across = Across(_FAR, marked=None if place is None else (place, "kept"))
    words_of = ("Reward against the distance from the model as it was", "; ".join(told))
    return [panels("alignment-far", words_of, shown, across, size) for size in (WIDE, NARROW)]


def _ends(points: Sequence[tuple[float, float]]) -> str:
    """A line in words: where it begins, where it is highest, where it ends."""
    top = max(points, key=lambda point: point[1])
    first, last = points[0], points[-1]
    return (
        f"{quality(first[1])} at {quality(first[0], 2)}, at most {quality(top[1])} at {quality(top[0], 2)},"
        f" {quality(last[1])} at {quality(last[0], 2)}"
    )


def _best_of_n(chosen: Sequence[Table]) -> Grid | None:
    """What the best of n answers of the model as it was are worth, and how far it is from it."""
    columns = ("n", "KL, nats", "reward", "held-out reward")
    lines = [
        [
            Cell(whole(number(row.get("n")))),
            *(Cell(quality(number(row.get(key))), kind="number") for key in ("kl", *_REWARDS)),
        ]
        for row in chosen
        if number(row.get("n")) is not None
    ]
    return grid("Best of n", columns, lines)


def _courses(history: Sequence[Table], kept: int | None, alarms: Sequence[Table]) -> list[object]:
    """One small chart for each figure that was measured more than once."""
    measured = {key: points for key in _COURSES if len(points := course(history, key)) > 1}
    rang: dict[str, float] = {}
    for alarm in alarms:
        key = next((key for key in _SEEN.get(words(alarm.get("name")), ()) if key in measured), "")
        step = number(alarm.get("step"))
        if key and step is not None:
            rang[key] = min(step, rang.get(key, step))
    found: list[object] = []
    for key, points in measured.items():
        name, kind = _COURSES[key]
        ringed = next((point for point in points if point[0] == rang.get(key)), None)
        panel = Panel(name, (Series("", points, kind),), 120, ringed=ringed, write=brief)
        told = f"From {brief(points[0][1])} to {brief(points[-1][1])}" + (
            "" if ringed is None else f"; an alarm rang at step {whole(ringed[0])}, at {brief(ringed[1])}"
        )
        across = Across("step", marked=None if kept is None or kept < points[0][0] else (float(kept), ""))
        found.append(panels(f"alignment-{key}", (f"{name} over the steps", told), [panel], across, _SMALL))
    return found


def _sample(row: Table) -> dict[str, object]:
    before, after = number(row.get("reward_before")), number(row.get("reward_after"))
    gain = None if before is None or after is None else after - before
    return {
        **passage(words(row.get("prompt"))),
        "sides": [
            {
                "name": spoken(name),
                "answer": passage(words(row.get(name))),
                "reward": "" if value is None else quality(value),
            }
            for name, value in (("before", before), ("after", after))
        ],
        "gain": "" if gain is None else signed(gain),
        "tone": "" if not gain else "met" if gain > 0 else "missed",
    }
