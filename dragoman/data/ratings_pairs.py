"""From judgements to preference examples: the pairs a majority, or each rater, decided; ties are left out and
counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from dragoman.core.types import Message
from dragoman.data.ratings import Item, Judgement, Thumb, pairwise

__all__ = ["Exported", "decided", "export_thumbs", "export_votes"]

Standing = Mapping[str, Mapping[str, Judgement]]


@dataclass
class Exported:
    """The rows of an export, and how many pairs were left out and why."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    ties: int = 0
    "Pairs the votes leave undecided, and those a single rater called equal."
    alone: int = 0
    "Thumbs without an answer to the same prompt that was held for the opposite."
    gone: int = 0
    "Judgements of texts that are not in the data."


def decided(standing: Standing, items: Sequence[Item]) -> dict[str, dict[str, Judgement]]:
    """The rankings of items that are in the data, without skips: {item key: {rater: judgement}}."""
    sizes = {item.key: len(item.completions) for item in items}
    found: dict[str, dict[str, Judgement]] = {key: {} for key in sizes}
    for rater, said in standing.items():
        for key, one in said.items():
            if one.act == "rank" and len(one.ranks) == sizes.get(key):
                found[key][rater] = one
    return found


def export_votes(items: Sequence[Item], standing: Standing, criterion: str, each: bool = False) -> Exported:
    """One row for each pair of completions that a majority of its raters decided, or with `each` that one rater did."""
    made = Exported()
    votes = decided(standing, items)
    made.gone = sum(one.item not in votes for said in standing.values() for one in said.values() if one.act == "rank")
    for item in items:
        said = {rater: pairwise(one.ranks) for rater, one in votes[item.key].items()}
        for pair in next(iter(said.values()), {}):
            cast = {rater: ranks[pair] for rater, ranks in said.items()}
            for suffix, group in (
                [(f":{rater}", {rater: vote}) for rater, vote in cast.items()] if each else [("", cast)]
            ):
                balance = sum(group.values())
                if not balance:
                    made.ties += 1
                    continue
                better, worse = pair if balance > 0 else pair[::-1]
                named = {"item": item.id, "raters": sorted(group), "votes": _counted(group, balance)}
                models = {"models": [item.models[better], item.models[worse]]} if item.models else {}
                texts = item.completions[better], item.completions[worse]
                key = f"{item.key}:{pair[0] + 1}-{pair[1] + 1}{suffix}"
                made.rows.append(_row(key, item, texts, criterion) | named | models)
    return made


def export_thumbs(thumbs: Mapping[str, Sequence[Thumb]], criterion: str, each: bool = False) -> Exported:
    """Pairs of an answer held good and one held bad for the same prompt; each such answer stands in at least one.

    By majority of the raters of each answer; with `each`, of what a single rater said.
    """
    made = Exported()
    cast = [list(given) for given in thumbs.values()] if each else [[one for said in thumbs.values() for one in said]]
    for place, given in enumerate(cast):
        suffix = f":{list(thumbs)[place]}" if each else ""
        prompts: dict[tuple[Message, ...], Counter[str]] = {}
        for one in given:
            balance = prompts.setdefault(one.prompt, Counter())
            balance[one.completion] += 1 if one.up else -1
        for prompt, answers in prompts.items():
            good = [text for text, balance in answers.items() if balance > 0]
            bad = [text for text, balance in answers.items() if balance < 0]
            made.ties += len(answers) - len(good) - len(bad)
            if not good or not bad:
                made.alone += len(good) + len(bad)
                continue
            longer = max(len(good), len(bad))
            for number, better, worse in zip(range(longer), cycle(good), cycle(bad), strict=False):
                item = Item("", prompt, (better, worse))
                row = _row(f"{item.key}:{number + 1}{suffix}", item, (better, worse), criterion)
                made.rows.append(row | {"source": "thumbs"})
    return made


def _row(key: str, item: Item, texts: tuple[str, str], criterion: str) -> dict[str, Any]:
    """A preference example as messages: a text that looks like a dialogue is never taken for one."""
    return {
        "id": key,
        "group": item.group,
        "prompt": [{"role": one.role, "content": one.content} for one in item.prompt],
        "chosen": [{"role": "assistant", "content": texts[0]}],
        "rejected": [{"role": "assistant", "content": texts[1]}],
        "criterion": criterion,
    }


def _counted(votes: Mapping[str, int], balance: int) -> dict[str, int]:
    """How many raters were for the chosen one, against it, and for a tie."""
    side = 1 if balance > 0 else -1
    counts = Counter(vote * side for vote in votes.values())
    return {"for": counts[1], "against": counts[-1], "tie": counts[0]}
