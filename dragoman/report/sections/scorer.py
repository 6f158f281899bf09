"""A model that scores answers: how often it prefers as people did, beside simple rules, and how sure it may be."""

import math

from markupsafe import Markup

from dragoman.report.bars import Bound, interval
from dragoman.report.grid import Cell, grid, spoken
from dragoman.report.numbers import quality, whole
from dragoman.report.record import Figure, Table, count, figure, number, table, words
from dragoman.report.scale import stretch

__all__ = ["view"]

COIN = 0.5
# A slope this far from 1 says that margins are to be read with care; nearer than that it is luck as often as not.
_NEAR = 0.2
_RULES = {"linear": "a linear model of words", "longer": "the longer one", "shorter": "the shorter one"}


def view(record: Table) -> dict[str, object] | None:
    """The table, what it proves, and the calibration; None where no accuracy is known."""
    told = table(record.get("scorer"))
    own = figure(told.get("accuracy"))
    rules = {
        _RULES.get(words(name), spoken(words(name))): table(one) for name, one in table(told.get("baselines")).items()
    }
    known = {name: found for name, one in rules.items() if (found := figure(one.get("accuracy"))) is not None}
    if own is None:
        return None
    sides = {"this model": (own, figure(told.get("nll")))}
    sides |= {name: (found, figure(rules[name].get("nll"))) for name, found in known.items()}
    best = max(known, key=lambda name: known[name].value, default="")
    ends = [end for found, _ in sides.values() for end in found.ends]
    across = stretch([*ends, COIN], 0.05, 0.02, (0.0, 1.0))
    lines = [
        [
            Cell(name),
            Cell(drawing=_bar(place, name, found, across)),
            Cell(_percent(found), kind="number"),
            Cell("" if nll is None else quality(nll.value), note=_ends(nll), kind="number"),
        ]
        for place, (name, (found, nll)) in enumerate(sides.items())
    ]
    return {
        "said": _said(own, best, known.get(best), count(told.get("pairs"))),
        "grid": grid(
            "Preferring as people did", ("who chooses", "from a coin's half", "right", "nats a pair"), lines, 0
        ),
        "coin": quality(math.log(2)),
        "calibration": _calibration(number(told.get("slope")), own.value),
        "scaled": _scaled(told),
    }


def _bar(place: int, name: str, found: Figure, across: tuple[float, float]) -> Markup:
    low = found.ends[0]
    tone = "met" if low > COIN else "missed" if found.ends[1] < COIN else "unproven"
    return interval(f"scorer-{place}", (f"how often {name} is right", _percent(found)), found, across,
                    Bound(">", COIN), tone)  # fmt: skip


def _percent(found: Figure) -> str:
    """A share with its interval, in hundredths."""
    low, high = found.ends
    rest = f" [{low * 100:.1f}, {high * 100:.1f}]" if found.wide else ""
    return f"{found.value * 100:.1f} %{rest}"


def _ends(found: Figure | None) -> str:
    return "" if found is None or not found.wide else f"[{quality(found.ends[0])}, {quality(found.ends[1])}]"


def _said(own: Figure, best: str, rule: Figure | None, pairs: int | None) -> str:
    """What is proven: against the best of the rules where there is one, else against a coin."""
    size = "" if pairs is None else f" on {whole(pairs)} pairs that taught nothing"
    if rule is None:
        proof = "better than a coin" if own.ends[0] > COIN else "not proven better than a coin"
        return f"It prefers as people did {_percent(own)}{size}, {proof}."
    if own.ends[0] > rule.ends[1]:
        proof = f"clearly more often than the best simple rule, {best}: {_percent(rule)}"
    elif own.ends[1] < rule.ends[0]:
        proof = f"clearly less often than a simple rule, {best}: {_percent(rule)}. Use the rule"
    else:
        proof = f"and the best simple rule, {best}, {_percent(rule)}: no difference can be told"
    return f"It prefers as people did {_percent(own)}{size}, {proof}."


def _calibration(slope: float | None, right: float) -> str:
    """In words, what the slope says of how sure the margins are; where it is always right or never, there is none."""
    if slope is None:
        return ""
    if right in (0.0, 1.0):
        return "Every margin has the same sign, so how sure they may be cannot be told."
    said = f"The margins should have been {quality(slope, 2)} times as wide"
    if abs(slope - 1) <= _NEAR:
        return f"{said}: how sure it is, is about how sure it may be."
    return f"{said}: it is {'too sure' if slope < 1 else 'not sure enough'}."


def _scaled(told: Table) -> str:
    """How scores are put on their scale, so that a policy's rewards mean the same whoever scores."""
    mean, scale, reference = number(told.get("mean")), number(told.get("scale")), count(told.get("reference"))
    if mean is None or scale is None:
        return ""
    size = "" if reference is None else f" {whole(reference)}"
    left = count(told.get("too_long"))
    rest = f" {whole(left)} pairs were too long to be read." if left else ""
    return (
        f"Scores are given mean 0 and spread 1 over{size} answers of training: they were {quality(mean, 2)} on average,"
        f" with a spread of {quality(scale, 2)}.{rest}"
    )
