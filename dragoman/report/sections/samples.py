"""The best and the worst samples, with their text, label, answer and confidence."""

from dragoman.report.numbers import quality, whole
from dragoman.report.record import Table, number, rows, table, words
from dragoman.report.text import cut

__all__ = ["view"]

# What stands in the card, and what can be unfolded below it.
_SHOWN, _UNFOLDED = 480, 20_000


def view(record: Table) -> dict[str, object] | None:
    """Two lists of samples, the worst first; None where there are none."""
    found = table(record.get("samples"))
    groups = [
        (title, [_sample(row) for row in rows(found.get(key))]) for title, key in (("Worst", "worst"), ("Best", "best"))
    ]
    shown = [{"title": title, "samples": samples} for title, samples in groups if samples]
    return {"groups": shown} if shown else None


def _sample(row: Table) -> dict[str, object]:
    expected, answer = words(row.get("expected")), words(row.get("answer"))
    text = words(row.get("text"))
    shown, left = cut(text, _SHOWN)
    rest, lost = cut(text[_SHOWN:], _UNFOLDED)
    right = row.get("expected") == row.get("answer")
    return {
        "text": shown,
        "rest": rest,
        "left": f"{whole(left)} more characters" if left else "",
        "lost": f"{whole(lost)} more characters are not shown" if lost else "",
        "expected": expected,
        "answer": answer,
        "confidence": quality(number(row.get("confidence"))),
        "right": right,
    }
