"""What the ratings say together: how far raters agree, which model won, and whether the first place was preferred."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dragoman.core.show import Show, figure, many
from dragoman.core.types import Estimate
from dragoman.data.ratings import Item, Judgement, pairwise
from dragoman.data.ratings_pairs import decided

__all__ = ["figures_of", "show_figures"]

Standing = Mapping[str, Mapping[str, Judgement]]


def figures_of(items: Sequence[Item], standing: Standing, seed: int = 0) -> dict[str, Any]:
    """JSON types: `raters` (judged and skipped by each), `agreement`, `models` and `first_place`.

    Alpha is over pairs of completions: better, tie or worse. Each pair counts in both directions, so that it does not
    matter which of the two stands first in the file; pairs of one item are resampled together. None where undefined.
    """
    from dragoman.evals.agreement import agreement, same_share

    known = {item.key for item in items}
    votes = decided(standing, items)
    groups = [_units(said) for said in votes.values()]
    shared = [units for units in groups if any(len(unit) > 1 for unit in units)]
    levels = {level: agreement(shared, level, seed=seed) for level in ("nominal", "ordinal")}
    raters = {
        rater: dict(Counter(one.act for key, one in said.items() if key in known)) for rater, said in standing.items()
    }
    return {
        "raters": {
            rater: {"ranked": acts.get("rank", 0), "skipped": acts.get("skip", 0)} for rater, acts in raters.items()
        },
        "agreement": {
            **{level: _facts(found) for level, found in levels.items()},
            "same": same_share([unit for units in shared for unit in units]),
            "items": len(shared),
        },
        "models": _models(items, votes),
        "first_place": _first_place(votes),
    }


def show_figures(figures: Mapping[str, Any], show: Show) -> None:
    """The card of agreement, and a table of models where the data names them."""
    agreement = figures["agreement"]
    rows = [
        (rater, f"{many(acts['ranked'], 'item')} judged, {acts['skipped']} skipped")
        for rater, acts in figures["raters"].items()
    ]
    for level in ("nominal", "ordinal"):
        found = agreement[level]
        rows.append((f"alpha, {level}", figure(found) if found else "undefined: nothing varies that two raters judged"))
    if agreement["same"] is not None:
        rows.append(("said the same", f"{agreement['same']:.1%} of the pairs that two raters judged"))
    first = figures["first_place"]
    if first:
        rows.append(("first place won", f"{figure(first)} of {first['n']} decided pairs; 0.5 is no preference"))
    show.card(f"agreement on {many(agreement['items'], 'item')} with two raters or more", rows)
    if figures["models"]:
        lines = [
            (name, figure(one["win_rate"]), str(one["wins"]), str(one["ties"]), str(one["losses"]))
            for name, one in figures["models"].items()
        ]
        show.table("win rate (a tie is half a win)", ("model", "win rate", "wins", "ties", "losses"), lines)


def _units(said: Mapping[str, Judgement]) -> list[list[float]]:
    """The votes on each pair of an item and, with the opposite sign, on the same pair turned round."""
    cast = [pairwise(one.ranks) for one in said.values()]
    pairs = list(cast[0]) if cast else []
    return [[side * float(ranks[pair]) for ranks in cast] for pair in pairs for side in (1, -1)]


def _models(items: Sequence[Item], votes: Mapping[str, Mapping[str, Judgement]]) -> dict[str, Any]:
    """For each model its wins, ties and losses over all raters, and its win rate; the interval resamples items."""
    import numpy as np

    from dragoman.evals.interval import student, wilson

    counts: dict[str, dict[str, Counter[str]]] = {}
    for item in items:
        for one in votes[item.key].values() if item.models else ():
            for (a, b), vote in pairwise(one.ranks).items():
                if item.models[a] == item.models[b]:
                    continue
                for place, side in ((a, vote), (b, -vote)):
                    word = {1: "wins", 0: "ties", -1: "losses"}[side]
                    counts.setdefault(item.models[place], {}).setdefault(item.key, Counter())[word] += 1
    found: dict[str, Any] = {}
    for name, by_item in sorted(counts.items()):
        total = sum(by_item.values(), Counter())
        sizes = np.array([one.total() for one in by_item.values()], dtype=np.float64)
        won = np.array([one["wins"] + one["ties"] / 2 for one in by_item.values()])
        rate = float(won.sum() / sizes.sum())
        n = len(sizes)
        # The ratio of two sums over items, and the size of a sample of single votes that would vary as much.
        spread = float(((won - rate * sizes) ** 2).sum() / sizes.sum() ** 2) * n / max(n - 1, 1)
        size = min(rate * (1 - rate) / spread, float(sizes.sum())) if spread > 0 else float(n)
        low, high = wilson(rate, size * (1.96 / student(n - 1)) ** 2) if n > 1 else (0.0, 1.0)
        counted = {word: total[word] for word in ("wins", "ties", "losses")}
        found[name] = {**counted, "win_rate": _facts(Estimate(rate, low, high, n))}
    return found


def _first_place(votes: Mapping[str, Mapping[str, Judgement]]) -> dict[str, Any] | None:
    """How often the completion that stood first of two won, ties left aside; Wilson's interval over pairs."""
    from dragoman.evals.interval import wilson

    won = total = 0
    for said in votes.values():
        for one in said.values():
            seen = pairwise(tuple(one.ranks[place] for place in one.order))
            won += sum(vote > 0 for vote in seen.values())
            total += sum(vote != 0 for vote in seen.values())
    return _facts(Estimate(won / total, *wilson(won / total, total), total)) if total else None


def _facts(found: Estimate | None) -> dict[str, float] | None:
    return None if found is None else {"value": found.value, "low": found.low, "high": found.high, "n": found.n}
