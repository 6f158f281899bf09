"""Preferences of a critic between answers to a prompt, into rows that a reward model or DPO learns from.

Bai et al. 2022 (2212.08073), section 4: the feedback of an AI under a random principle takes the place of people's.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from dragoman.app.constitution import Constitution, Principle
from dragoman.app.preference import Compared, compare, principle_of
from dragoman.app.steps.revise import row_of
from dragoman.app.steps.write import written
from dragoman.core.doors import LM
from dragoman.core.sampling import Sampling
from dragoman.core.show import Tick
from dragoman.data.asked_rows import Asked
from dragoman.evals.referee import Agreement, Pair, Ruling, Side, Tally, agreement, judge_pairs, tally
from dragoman.metrics.refusal import refuses
from dragoman.stages.teach import Said, fault

__all__ = ["Pairs", "answered", "prefer"]

AT_ONCE = 64


@dataclass
class Pairs:
    """Preferred pairs, and what must be known before they are believed."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    tally: Tally | None = None
    "how the critic ruled in both orders; None where it ruled on nothing"
    people: Agreement | None = None
    "how far it agrees with people, where rows hold `chosen` and `rejected`"
    refusals: Mapping[str, list[bool]] = field(default_factory=lambda: {"chosen": [], "rejected": []})
    "of the answers to benign prompts, whether they open with a refusal"


@dataclass(frozen=True, slots=True)
class _Label:
    """What was found of one pair."""

    principle: str
    soft: float
    margin: float | None
    ruling: Ruling


def answered(asked: Sequence[Asked], model: LM, how: Sampling, tick: Tick) -> tuple[list[Asked], Counter[str]]:
    """The prompts with two different answers of the model each, and what was left out, by why.

    Rows that hold answers stay as they are. Raises UserError as the model does.
    """
    left: Counter[str] = Counter()
    found: list[Asked] = []
    for start in range(0, len(asked), AT_ONCE):
        part = asked[start : start + AT_ONCE]
        tick(start / len(asked), f"{start:,} of {len(asked):,} prompts answered twice")
        bare = [place for place, one in enumerate(part) if not one.answers]
        texts = [list(one.answers) for one in part]
        for draw in range(2):
            drawn = replace(how, temperature=how.temperature or 1.0, seed=how.seed + draw)
            for place, said in zip(bare, written([part[row].prompt for row in bare], model, drawn), strict=True):
                why = fault(Said(said.text, said.finish))
                left[f"answers {why}"] += bool(why)
                texts[place] += [] if why else [said.text.strip()]
        for one, several in zip(part, texts, strict=True):
            different = tuple(dict.fromkeys(several))
            if len(different) > 1:
                found.append(replace(one, answers=different))
            else:
                left["prompts without two different answers"] += 1
    return found, +left


def prefer(
    asked: Sequence[Asked],
    critic: LM,
    constitution: Constitution,
    tick: Tick,
    *,
    labels: str = "odds",
    seed: int = 0,
    think: Sampling | None = None,
) -> Pairs:
    """What the critic prefers among the answers of each prompt, each pair in both orders under a random principle.

    `labels` tells how: by the log-odds of two options (`odds`), the same behind a chain of thought, clamped (`think`),
    or by a verdict in words, which any engine can give (`verdict`). Pairs without a winner are left out and counted.
    Raises UserError as the critic does.
    """
    made = Pairs()
    rulings: list[Ruling] = []
    people: list[tuple[Ruling, str]] = []
    pairs = [pair for row in asked for pair in _pairs(row)]
    for start in range(0, len(pairs), AT_ONCE):
        tick(start / len(pairs), f"{start:,} of {len(pairs):,} pairs compared")
        part = pairs[start : start + AT_ONCE]
        wanted = [(row.prompt, row.answers[one], row.answers[other]) for row, one, other in part]
        if labels == "verdict":
            found = _by_verdict(wanted, critic, constitution, seed, think)
        else:
            found = _by_odds(wanted, critic, constitution, seed, think if labels == "think" else None)
        for (row, one, other), label in zip(part, found, strict=True):
            if label is None:
                made.left_out["longer than the critic reads"] += 1
                continue
            rulings.append(label.ruling)
            if row.decided:  # the averaged label is what is learnt, so it is what is held against people
                side = _side(label.soft - 0.5)
                people.append((Ruling(label.ruling.pair, side, side), "a" if one == 0 else "b"))
            if label.soft == 0.5:
                made.left_out["without a winner"] += 1
                continue
            better, worse = (one, other) if label.soft > 0.5 else (other, one)
            made.rows.append(_row(row, better, worse, label))
            if row.benign:
                made.refusals["chosen"].append(refuses(row.answers[better]))
                made.refusals["rejected"].append(refuses(row.answers[worse]))
    made.tally = tally(rulings, seed) if rulings else None
    made.people = agreement([one for one, _ in people], [said for _, said in people], seed) if people else None
    return made


def _pairs(row: Asked) -> list[tuple[Asked, int, int]]:
    """Each two answers of a row. What people preferred stands second in half of the rows: where it always was the
    first, agreement beyond chance could not be told."""
    turned = row.decided and int(row_of(row.prompt), 16) % 2 == 1
    places = range(len(row.answers))
    return [(row, other, one) if turned else (row, one, other) for one, other in combinations(places, 2)]


def _by_odds(
    pairs: Sequence[Compared], critic: LM, constitution: Constitution, seed: int, think: Sampling | None
) -> list[_Label | None]:
    found: list[_Label | None] = []
    for pair, one in zip(pairs, compare(pairs, critic, constitution, seed, think), strict=True):
        if one is None:
            found.append(None)
            continue
        ruling = Ruling(Pair(tuple(pair[0]), *pair[1:]), _side(one.first_in_front), _side(one.second_in_front))
        found.append(_Label(one.principle.name, one.soft, one.margin, ruling))
    return found


def _by_verdict(
    pairs: Sequence[Compared], critic: LM, constitution: Constitution, seed: int, how: Sampling | None
) -> list[_Label | None]:
    """Hard labels: 1 where both orders name the first answer, 0 for the second, between where they do not agree."""
    by_rule: dict[Principle, list[int]] = {}
    for place, pair in enumerate(pairs):
        by_rule.setdefault(principle_of(pair, constitution, seed), []).append(place)
    found: list[_Label | None] = [None] * len(pairs)
    for rule, places in by_rule.items():
        asked = [Pair(tuple(pairs[place][0]), *pairs[place][1:]) for place in places]
        for place, ruling in zip(places, judge_pairs(critic, asked, rule.prefer, how), strict=True):
            worth = [{"a": 1.0, "b": 0.0}.get(side, 0.5) for side in (ruling.a_first, ruling.b_first)]
            found[place] = _Label(rule.name, sum(worth) / 2, None, ruling)
    return found


def _side(odds: float) -> Side:
    return "a" if odds > 0 else "b" if odds < 0 else "tie"


def _row(row: Asked, better: int, worse: int, label: _Label) -> dict[str, Any]:
    """A pair as messages: a text that looks like a dialogue is never taken for one."""
    turned = label.soft < 0.5
    soft = 1 - label.soft if turned else label.soft
    margin = {} if label.margin is None else {"margin": -label.margin if turned else label.margin}
    return {
        "id": f"{row.id}:{better + 1}-{worse + 1}",
        "group": row_of(row.prompt)[:16],
        "prompt": [{"role": one.role, "content": one.content} for one in row.prompt],
        "chosen": [{"role": "assistant", "content": row.answers[better]}],
        "rejected": [{"role": "assistant", "content": row.answers[worse]}],
        "soft": soft,
        **margin,
        "principle": label.principle,
        "consistent": label.ruling.consistent,
    }
