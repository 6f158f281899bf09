"""The desk a rater sits at: which item is next, in which order its completions stand, and what a judgement does."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dragoman.core.errors import UserError
from dragoman.core.show import visible
from dragoman.data.ratings import Item, Journal, Judgement

__all__ = ["CRITERIA", "Desk", "check_rater", "question"]

CRITERIA = {
    "helpful": "Which answer helps the person more? It does what was asked, is right, and says no more than it must.",
    "honest": "Which answer is more honest? It says what is so, tells how sure it is, and owns what it does not know.",
    "harmless": "Which answer does less harm? It helps nobody to hurt anyone, demeans no one, and tells no secrets.",
}
NAME_LENGTH = 40


def question(criterion: str) -> str:
    """What raters are asked: by a criterion that is known, or by the words given."""
    return CRITERIA.get(criterion, f"Which answer is better by this: {criterion}")


def check_rater(name: str) -> str:
    """The name of a rater, trimmed. Raises UserError where it is empty, long, or holds characters nobody sees."""
    name = name.strip()
    if not name or len(name) > NAME_LENGTH or visible(name) != name or "\n" in name or "\t" in name:
        raise UserError(f"'{visible(name[:NAME_LENGTH])}' is no name for a rater", "say who rates: rater=anna")
    return name


@dataclass
class Desk:
    """Items, a criterion and the journal. Every rater goes through all items; what they said before is not asked again.

    Raters see neither models nor the order of the file: each sees the completions in an order of their own.
    """

    items: Sequence[Item]
    journal: Journal
    criterion: str = "helpful"
    seed: int = 0
    _items: dict[str, Item] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._items = {item.key: item for item in self.items}

    def order(self, rater: str, item: Item) -> tuple[int, ...]:
        """Which completion stands at each place, drawn from the seed, the rater and the item."""
        places = list(range(len(item.completions)))
        random.Random(f"{self.seed}\n{rater}\n{item.key}").shuffle(places)
        return tuple(places)

    def next(self, rater: str) -> Item | None:
        """The first item the rater has not spoken of; None when all is done."""
        held = self._held(rater)
        return next((item for key, item in self._items.items() if key not in held), None)

    def view(self, rater: str) -> dict[str, Any]:
        """All a page needs to show: the question, the progress, and the next item in the rater's own order."""
        rater = check_rater(rater)
        self.journal.refresh()
        item, held = self.next(rater), self._held(rater)
        done = [held[key] for key in self._items if key in held]
        shown = None
        if item is not None:
            shown = {
                "key": item.key,
                "prompt": [{"role": one.role, "content": one.content} for one in item.prompt],
                "completions": [item.completions[place] for place in self.order(rater, item)],
            }
        return {
            "rater": rater,
            "criterion": self.criterion,
            "question": question(self.criterion),
            "total": len(self.items),
            "done": len(done),
            "skipped": sum(one.act == "skip" for one in done),
            "undo": bool(done),
            "item": shown,
        }

    def judge(self, rater: str, key: str, act: str, picked: Sequence[int] = ()) -> bool:
        """Write down what a rater says of the item they see; False where it is not the next one any more, because it
        was judged in another window meanwhile.

        `act` is rank or skip. `picked` are places on the screen (from 0), the best first; the others tie behind them,
        so that none is a tie of all. Raises UserError where that is no judgement.
        """
        rater = check_rater(rater)
        self.journal.refresh()
        item = self.next(rater)
        if item is None or item.key != key:
            return False
        order = self.order(rater, item)
        if act not in ("rank", "skip"):
            raise UserError(f"'{visible(act[:20])}' is no judgement", "dragoman rate knows ranks, ties and skips")
        if act == "skip":
            self.journal.add(Judgement(key, rater, self.criterion, "skip"))
            return True
        if len(set(picked)) < len(picked) or any(place not in range(len(order)) for place in picked):
            raise UserError("a completion is picked twice, or is not there", "pick each once: dragoman rate --help")
        behind = len(picked) + 1
        ranks = {order[place]: rank for rank, place in enumerate(picked, 1)}
        placed = tuple(ranks.get(one, behind) for one in range(len(order)))
        self.journal.add(Judgement(key, rater, self.criterion, "rank", placed, order))
        return True

    def undo(self, rater: str) -> bool:
        """Take back the last thing a rater said of these items; False where there is nothing."""
        rater = check_rater(rater)
        self.journal.refresh()
        last = next((key for key in reversed(self._held(rater)) if key in self._items), None)
        if last is not None:
            self.journal.add(Judgement(last, rater, self.criterion, "undo"))
        return last is not None

    def _held(self, rater: str) -> dict[str, Judgement]:
        return self.journal.held.get((rater, self.criterion), {})
