"""The head of the report of a training: what was made, in one sentence, and its figures."""

from collections.abc import Mapping

from dragoman.core.errors import UserError
from dragoman.report.numbers import amount, compact, whole
from dragoman.report.record import Table, figure, hollow, table, words

__all__ = ["KINDS", "view"]

KINDS = {"pretrain": "Pretraining", "train": "Training", "sweep": "Sweep"}
_MOST_TILES = 8
_MILLION = 999_500


def view(record: Table) -> dict[str, object]:
    """The head of the page. Raises UserError where the record says nothing but what it is called."""
    if hollow({key: value for key, value in record.items() if key not in ("name", "created", "dragoman", "kind")}):
        raise UserError("the record holds nothing of a training", "make one with: dragoman train")
    kind = words(record.get("kind"))
    return {
        "name": words(record.get("name")) or KINDS.get(kind, kind) or "training",
        "kind": KINDS.get(kind, kind),
        "headline": words(record.get("headline")),
        "created": words(record.get("created")),
        "version": words(record.get("dragoman")),
        "tiles": _tiles(record),
    }


def _tiles(record: Table) -> list[dict[str, str]]:
    """The figures of the head: estimates with their interval, counts short and whole, texts as they are."""
    tiles = []
    for name, value in table(record.get("tiles")).items():
        shown, below = _shown(words(name), value)
        if shown:
            tiles.append({"metric": words(name), "value": shown, "interval": below})
    return tiles[:_MOST_TILES]


def _shown(name: str, value: object) -> tuple[str, str]:
    found = figure(value)
    if found is None:
        return (words(value), "") if isinstance(value, str) else ("", "")
    if found.wide:
        low, high = found.ends
        return amount(name, found.value), f"{amount(name, low)} to {amount(name, high)}"
    if abs(found.value) >= _MILLION:
        return compact(found.value), whole(found.value)
    bare = value.get("value") if isinstance(value, Mapping) else value
    return (whole(found.value) if isinstance(bare, int) else amount(name, found.value)), ""
