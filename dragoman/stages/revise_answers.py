"""Critique and revision of a model's answers by a constitution, round after round, into rows to learn from.

Bai et al. 2022 (2212.08073), section 3: a response is criticised by a random principle and rewritten, four times over;
what is learnt is the last revision, never a critique.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dragoman.app.constitution import Constitution
from dragoman.app.steps.revise import REPEATED, revised
from dragoman.app.steps.write import written
from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.core.sampling import Sampling
from dragoman.core.show import Tick
from dragoman.core.types import Answer, Estimate
from dragoman.data.asked_rows import Asked
from dragoman.evals.interval import wilson
from dragoman.metrics.refusal import refuses
from dragoman.stages.teach import Said, fault

__all__ = ["Revisions", "revise_answers", "share"]

AT_ONCE = 64  # rows that go through all rounds before the next ones begin


@dataclass
class Revisions:
    """Rows to learn from, and how the answers changed from round to round; round 0 is what the model said first."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    "rows without a revision to learn from, by what was wrong with the last one"
    dropped: Counter[str] = field(default_factory=Counter)
    "revisions that were not taken, by why; the answer before them stood"
    violations: list[list[bool]] = field(default_factory=list)
    "[rounds + 1][rows]: whether the answer then breaks the rule; empty where none is given"
    refusals: list[list[bool]] = field(default_factory=list)
    "[rounds + 1][benign rows]: whether what was written then opens with a refusal"


def revise_answers(
    asked: Sequence[Asked],
    model: LM,
    critic: LM,
    constitution: Constitution,
    tick: Tick,
    *,
    rounds: int = 4,
    seed: int = 0,
    how: Sampling | None = None,
    rule: re.Pattern[str] | None = None,
    keep_refusals: bool = False,
) -> Revisions:
    """The model's answers to the prompts, criticised by `critic` and rewritten by the model, `rounds` times.

    A revision that is empty, did not end, goes round in circles, repeats its critique or opens with a refusal (unless
    `keep_refusals`) is not taken: the answer before it stands and meets the next round. A row of which no revision was
    taken, or whose first answer is empty, is left out. Raises UserError as the models do.
    """
    how = how or Sampling()
    made = Revisions(refusals=[[] for _ in range(rounds + 1)])
    made.violations = [[] for _ in range(rounds + 1)] if rule is not None else []

    def saw(number: int, row: Asked, stands: str, wrote: str) -> None:
        if rule is not None:
            made.violations[number].append(rule.search(stands) is not None)
        if row.benign:
            made.refusals[number].append(refuses(wrote))

    for start in range(0, len(asked), AT_ONCE):
        part = asked[start : start + AT_ONCE]
        tick(start / len(asked), f"{start:,} of {len(asked):,} prompts answered and revised")
        firsts = written([one.prompt for one in part], model, how)
        turns = [
            replace(Turn.of(one.prompt), answer=Answer(first.text.strip(), finish=first.finish))
            for one, first in zip(part, firsts, strict=True)
        ]
        begun = [row for row, turn in enumerate(turns) if turn.answer.text]
        made.left_out["no first answer"] += len(part) - len(begun)
        live = [(part[row], turns[row]) for row in begun]
        for row, turn in live:
            saw(0, row, turn.answer.text, turn.answer.text)
        made.rows += _rounds(live, model, critic, constitution, made, saw, rounds, seed, how, keep_refusals)
    made.left_out = +made.left_out
    return made


def _rounds(
    live: Sequence[tuple[Asked, Turn]],
    model: LM,
    critic: LM,
    constitution: Constitution,
    made: Revisions,
    saw: Callable[[int, Asked, str, str], None],
    rounds: int,
    seed: int,
    how: Sampling,
    keep_refusals: bool,
) -> list[dict[str, Any]]:
    """The rows to learn of answers that went through all rounds."""
    turns = [turn for _, turn in live]
    taken: list[list[str]] = [[] for _ in live]
    last = [""] * len(live)
    for number in range(rounds):
        tried = revised(turns, critic, model, constitution, number, seed, how)
        for place, (row, _) in enumerate(live):
            new = tried[place]
            why = _wrong(new.answer, keep_refusals)
            if why:
                made.dropped[why] += 1
                last[place] = why
            else:
                taken[place].append(new.trace[-1].removeprefix("revise: "))
                turns[place] = new
            saw(number + 1, row, turns[place].answer.text, new.answer.text)
    made.left_out.update(why for why, names in zip(last, taken, strict=True) if not names)
    return [_row(row, turn, names) for (row, _), turn, names in zip(live, turns, taken, strict=True) if names]


def _wrong(answer: Answer, keep_refusals: bool) -> str:
    """Why a revision is not taken; empty where it is."""
    if answer.finish == REPEATED:
        return "that repeat the critique"
    if answer.finish == "refused":
        return "too long for the model"
    why = fault(Said(answer.text, answer.finish))
    return why or ("that refuse" if not keep_refusals and refuses(answer.text) else "")


def _row(row: Asked, turn: Turn, names: Sequence[str]) -> dict[str, Any]:
    """A row to learn: the prompt and the last revision, and by which principles it came about."""
    messages = [{"role": one.role, "content": one.content} for one in row.prompt]
    messages.append({"role": "assistant", "content": turn.answer.text})
    return {"id": row.id, "messages": messages, "principles": list(names)}


def share(seen: Sequence[bool]) -> Estimate | None:
    """A share with Wilson's interval; None where nothing was seen."""
    if not seen:
        return None
    value = sum(seen) / len(seen)
    low, high = wilson(value, len(seen))
    return Estimate(value, low, high, len(seen))
