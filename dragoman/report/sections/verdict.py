"""The verdict: what was proven, on how many sealed rows, opened how many times."""

from dragoman.core.errors import UserError
from dragoman.report.numbers import amount, comparison, spread, whole
from dragoman.report.record import Figure, Table, count, figure, rows, table, threshold, words

__all__ = ["VERDICTS", "view"]

# sign, words, tone
VERDICTS = {
    "met": ("✓", "Met", "met"),
    "not_met": ("✗", "Not met", "missed"),
    "none": ("✗", "None meets", "missed"),
    "no_adaptation_needed": ("✓", "No adaptation needed", "met"),
}
_MOST_TILES = 6


def view(record: Table) -> dict[str, object]:
    """The head of the page. Raises UserError where the record has no name or no verdict that is known."""
    name, verdict = words(record.get("name")), record.get("verdict")
    if not name:
        raise UserError("the record has no name, so it is not the record of a run", "make one with: dragoman run")
    if not isinstance(verdict, str) or verdict not in VERDICTS:
        known = ", ".join(VERDICTS)
        raise UserError(
            f"the record of '{name}' has no known verdict: {verdict!r}",
            f"it is one of {known}; make one with: dragoman run",
        )
    sign, said, tone = VERDICTS[verdict]
    return {
        "name": name,
        "objective": words(record.get("objective")),
        "created": words(record.get("created")),
        "version": words(record.get("dragoman")),
        "sign": sign,
        "said": said,
        "tone": tone,
        "headline": words(record.get("headline")) or _headline(record, verdict),
        "rung": words(record.get("rung")),
        "proof": _proof(table(record.get("test"))),
        "opened": count(table(record.get("test")).get("openings")) or 0,
        "tiles": _tiles(record),
    }


def _proof(test: Table) -> str:
    """On how many sealed rows, opened how many times."""
    number, openings = count(test.get("rows")), count(test.get("openings"))
    if openings == 0:
        return "the sealed rows were not opened" if number is None else f"{whole(number)} sealed rows, not opened"
    parts = []
    if number is not None:
        parts.append(f"measured on {whole(number)} sealed rows")
    if openings is not None:
        parts.append("opened once" if openings == 1 else f"opened {whole(openings)} times")
    return ", ".join(parts)


def _headline(record: Table, verdict: str) -> str:
    """One sentence of what was proven, made from the criteria where the record has none."""
    criteria = rows(record.get("criteria"))
    measured = [(criterion, figure(criterion.get("estimate"))) for criterion in criteria]
    missing = [criterion for criterion in criteria if criterion.get("outcome") != "met"]
    rung = words(record.get("rung"))
    if verdict == "none":
        return "No rung of the ladder is proven to meet the target within the budget."
    if verdict == "not_met":
        named = ", ".join(
            f"{words(criterion.get('metric'))} {comparison(words(criterion.get('asked')))}" for criterion in missing
        )
        return f"Not proven: {named}." if named else "What was asked is not proven."
    told = [_criterion(criterion, found) for criterion, found in measured if found is not None]
    start = f"{rung} meets what was asked" if rung else "What was asked is met"
    start = "The model as it is meets what was asked" if verdict == "no_adaptation_needed" else start
    return f"{start}: {'; '.join(told)}." if told else f"{start}."


def _criterion(criterion: Table, found: Figure) -> str:
    metric, asked = words(criterion.get("metric")), comparison(words(criterion.get("asked")))
    bound = threshold(criterion.get("asked"))
    return f"{metric} {spread(metric, found, bound[1] if bound else None)}, asked {asked}"


def _tiles(record: Table) -> list[dict[str, str]]:
    """The first metrics as large figures, with the bounds of the criteria kept clear of rounding."""
    bounds = {words(row.get("metric")): threshold(row.get("asked")) for row in rows(record.get("criteria"))}
    tiles = []
    for name, value in table(record.get("metrics")).items():
        found, bound = figure(value), bounds.get(name)
        if found is not None:
            limit = bound[1] if bound else None
            low, high = found.ends
            interval = f"{amount(name, low, limit)} to {amount(name, high, limit)}" if found.wide else ""
            tiles.append({"metric": words(name), "value": amount(name, found.value, limit), "interval": interval})
    return tiles[:_MOST_TILES]
