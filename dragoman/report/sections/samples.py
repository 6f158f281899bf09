"""The best and the worst samples, with their text, label, answer and confidence."""

from dragoman.report.numbers import quality
from dragoman.report.passage import passage
from dragoman.report.record import Table, number, rows, table, words

__all__ = ["view"]


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
    right = row.get("expected") == row.get("answer")
    return {
        **passage(words(row.get("text"))),
        "expected": expected,
        "answer": answer,
        "confidence": "" if "score" in row else quality(number(row.get("confidence"))),
        "score": quality(abs(score)) if (score := number(row.get("score"))) is not None else "",
        "right": right,
    }
