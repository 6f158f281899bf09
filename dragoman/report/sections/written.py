"""What the model wrote while it learnt: one prompt after the other, from its first texts to its last."""

from dragoman.report.numbers import whole
from dragoman.report.passage import passage
from dragoman.report.record import Table, number, rows, words

__all__ = ["view"]

# So many texts of a prompt stand open: the first, the last, and some between. The others are folded.
_OPEN = 4


def view(record: Table) -> dict[str, object] | None:
    """The texts by prompt; None where nothing was written."""
    prompts: dict[str, list[Table]] = {}
    for row in rows(record.get("samples")):
        if words(row.get("text")):
            prompts.setdefault(words(row.get("prompt")), []).append(row)
    groups = [_group(prompt, found) for prompt, found in prompts.items()]
    return {"groups": groups} if groups else None


def _group(prompt: str, found: list[Table]) -> dict[str, object]:
    ordered = sorted(found, key=lambda row: number(row.get("step")) or 0.0)
    last = len(ordered) - 1
    kept = set(range(len(ordered)))
    if last >= _OPEN:
        kept = {round(place * last / (_OPEN - 1)) for place in range(_OPEN)}
    samples = [{**passage(words(row.get("text"))), "step": _step(row)} for row in ordered]
    return {
        "prompt": prompt,
        "samples": [sample for place, sample in enumerate(samples) if place in kept],
        "folded": [sample for place, sample in enumerate(samples) if place not in kept],
    }


def _step(row: Table) -> str:
    step = number(row.get("step"))
    return "" if step is None else f"step {whole(step)}"
