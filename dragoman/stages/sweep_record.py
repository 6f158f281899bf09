"""What a sweep leaves behind: the record that its report is drawn from, the table and the card for the terminal."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dragoman import __version__
from dragoman.core.runs import Run
from dragoman.core.show import figure, many
from dragoman.core.sizing import show_seconds
from dragoman.evals.interval import student
from dragoman.stages.record import lineage
from dragoman.stages.sweep_space import Value, shown
from dragoman.stages.sweep_study import Book, Row
from dragoman.stages.sweep_trials import Ground

__all__ = ["card_of", "expected", "record_of", "table_of"]

_SHOWN = 10  # trials in the terminal; the report has all
_STATES = {"complete": "whole", "pruned": "stopped early"}


def expected(values: Sequence[float]) -> dict[str, float | int]:
    """Mean and 95 % interval (Student's t) of a figure on at least two seeds."""
    count = len(values)
    mean = math.fsum(values) / count
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1) / count)
    half = student(count - 1) * spread
    return {"value": mean, "low": mean - half, "high": mean + half, "n": count}


def record_of(run: Run, ground: Ground, book: Book | None, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The record in the form the report draws. `facts` holds the range test, and the winner's figures again."""
    record: dict[str, Any] = {
        "name": run.id,
        "kind": run.verb,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "dragoman": __version__,
        "metric": ground.metric,
        "higher": ground.higher,
        "settings": dict(run.settings),
        "environment": run.record["environment"],
        "lineage": lineage([run]),
    }
    tested = facts.get("range_test")
    if tested:
        record["range_test"] = tested
        record["headline"] = f"The range test suggests a learning rate of {tested['chosen']:.2g}."
        record["commands"] = [ground.command({"train.rate": float(f"{tested['chosen']:.2g}")})]
    if book is not None:
        rows, best = book.rows(), book.best()
        places = {one.number: place for place, one in enumerate(rows, 1)}
        figures = expected(facts["again"])
        done = math.fsum(one.share for one in rows)
        told = {"number": places[best.number], "value": best.value, "settings": best.settings, "again": figures}
        record["trials"] = [_told(places[one.number], one) for one in rows]
        record["best"] = told | {"values": list(facts["again"])}
        record["tiles"] = {
            ground.metric: figures,
            "trials": len(rows),
            "stopped early": sum(one.state == "pruned" for one in rows),
            "share of all trainings": f"{done / len(rows):.0%}",
        }
        record["headline"] = (
            f"{_words(best.settings)}: {ground.metric} {figure(figures)}, the mean of {figures['n']} fresh seeds."
        )
        record["warnings"] = _warnings(rows, best, figures, ground)
        record["commands"] = [ground.command(best.settings)]
    record["commands"] += [f"dragoman report {run.id}"]
    return record


def _told(place: int, one: Row) -> dict[str, Any]:
    told: dict[str, Any] = {"number": place, "state": one.state, "value": one.value, "step": one.step}
    curve = [[unit, value] for unit, value in sorted(one.values.items())]
    told |= {"settings": one.settings}
    return told | {"seconds": one.seconds, "share": one.share, "why": one.why, "curve": curve}


def _words(settings: Mapping[str, Value]) -> str:
    return " ".join(f"{name}={shown(value)}" for name, value in settings.items())


def _warnings(rows: Sequence[Row], best: Row, figures: Mapping[str, Any], ground: Ground) -> list[str]:
    """What a reader must know before trusting the winner."""
    said = []
    failed = [one for one in rows if one.state == "failed"]
    if failed:
        said.append(f"{many(len(failed), 'trial')} failed; the first: {failed[0].why}")
    worse = figures["value"] - (best.value or 0.0)
    if (-worse if ground.higher else worse) > 0:
        said.append(
            f"The best trial showed {ground.metric} {best.value:.4g}, the luck of the best of {len(rows)} included; "
            f"{figures['value']:.4g} is what to expect."
        )
    return said


def table_of(record: Mapping[str, Any]) -> tuple[str, Sequence[str], list[list[str]]]:
    """Title, columns and rows of the best trials: whole ones by their figure, then those that went furthest."""
    trials = record["trials"]
    sign = -1.0 if record["higher"] else 1.0

    def order(one: Mapping[str, Any]) -> tuple[bool, float, float]:
        value = one["value"]
        return one["state"] != "complete", -one["share"], math.inf if value is None else sign * value

    names = list(dict.fromkeys(name for one in trials for name in one["settings"]))
    rows = []
    for one in sorted(trials, key=order)[:_SHOWN]:
        value = "" if one["value"] is None else f"{one['value']:.4f}"
        settings = [shown(one["settings"][name]) if name in one["settings"] else "" for name in names]
        state = _STATES.get(one["state"], one["state"])
        rows.append([str(one["number"]), value, *settings, f"{one['share']:.0%}", show_seconds(one["seconds"]), state])
    title = f"trials, the best {len(rows)} of {len(trials)}"
    return title, ("trial", record["metric"], *names, "of it", "time", "state"), rows


def card_of(record: Mapping[str, Any], report: str) -> list[tuple[str, str]]:
    """The card for a person."""
    rows = []
    if record.get("range_test"):
        rows.append(("range test", f"rate {record['range_test']['chosen']:.2g}"))
    if record.get("best"):
        best = record["best"]
        rows.append(("the best", _words(best["settings"])))
        rows.append(("expect", f"{record['metric']} {figure(best['again'])}, {best['again']['n']} fresh seeds"))
        rows.append(("  its trial", f"{best['value']:.4f}, the best of {many(len(record['trials']), 'trial')}"))
        told = record["tiles"]
        rows.append(("cost", f"{told['share of all trainings']} of training all to the end, without the fresh seeds"))
    rows += [("note", text) for text in record.get("warnings", ()) if "failed" in text]
    return [*rows, ("report", report), ("then", record["commands"][0])]
