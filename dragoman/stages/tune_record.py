"""What a tuning proved: the untouched and the tuned model on the same rows, for the card, the page and programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dragoman.core.project import Project
from dragoman.core.runs import Run, environment
from dragoman.core.show import figure
from dragoman.core.sizing import show_bytes, show_seconds
from dragoman.evals.compare import Comparison, after_holm, compare
from dragoman.evals.task import leading
from dragoman.stages.assistants import MODEL
from dragoman.stages.evaluate import Measured, views
from dragoman.stages.record import data_card, lineage
from dragoman.stages.train import Plan
from dragoman.stages.train_record import cautions, told_learning
from dragoman.stages.writing import writes

__all__ = ["Pair", "card_of", "record_of"]

ANSWERS = 4  # rows shown of each end: those the tuning mended most, and those it spoilt most
NEUTRAL = ("answer_length",)
TOLD = ("stopped", "repetition", "answer_length")
"figures of how answers look, whatever they say"


@dataclass(frozen=True)
class Pair:
    """Both models on the sealed rows; `old` is None where the untouched one cannot answer."""

    project: Project
    plan: Plan
    prepared: Run
    made: Run
    tuned: Measured
    base: Run | None
    old: Measured | None
    openings: int
    run: Run

    @property
    def name(self) -> str:
        """The metric that leads."""
        return leading(self.tuned.report.task)

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """Each metric compared row by row; the p of all but the leading one are adjusted for how many are looked at."""
        if self.old is None:
            return {}
        names = [name for name in self.tuned.report.measured if name in self.old.report.measured]
        found = {name: compare(self.old.report, self.tuned.report, name) for name in names}
        others = [name for name in names if name != self.name]
        adjusted = after_holm([found[name] for name in others])
        return {**found, **dict(zip(others, adjusted, strict=True))}

    @property
    def better(self) -> bool:
        """Whether the tuned model is proven better on the leading metric; where the untouched one cannot answer, which
        is worth 0, whether it is proven above that."""
        if self.old is None:
            return self.tuned.estimates[self.name].low > 0
        return self.comparisons[self.name].better == "b"

    @property
    def mark(self) -> str:
        """The colour of the card."""
        return "good" if self.better else "bad"

    @property
    def headline(self) -> str:
        """What was proven, in one sentence."""
        found = self.tuned.estimates[self.name]
        told = f"{self.name} {figure(asdict(found))}"
        if self.old is None:
            verdict = "proven" if self.better else "not proven"
            return f"{told}, {verdict} above 0: the untouched model has no way to answer"
        one = self.comparisons[self.name]
        before = figure(asdict(self.old.estimates[self.name]))
        verdict = {"b": "proven better than", "a": "proven worse than", "tie": "not proven better than"}[one.better]
        return f"{told}, {verdict} the untouched model ({before}) on the same {one.difference.n:,} rows"

    @property
    def unread(self) -> int:
        """How many of the rows were more than the tuned model reads, so that it did not answer."""
        return sum(one.answer.finish == "refused" for one in self.tuned.report.predictions)

    @property
    def served(self) -> str:
        """The command that talks to the tuned model."""
        where = "" if self.made.folder.parent == Path("runs") else f" runs={self.made.folder.parent}"
        if self.plan.objective == "classify":
            return f"dragoman serve {self.made.id}{where}"
        return f'dragoman ask {self.made.id} "..."{where}'

    def result(self, page: str) -> dict[str, Any]:
        """The one JSON object for programs."""
        return {
            "run": self.run.id,
            "tuned": self.made.id,
            "model": str(self.made.folder / MODEL),
            "verdict": "better" if self.better else "not_better",
            "headline": self.headline,
            "metric": self.name,
            "metrics": {name: asdict(value) for name, value in self.tuned.estimates.items()},
            "base": {name: asdict(value) for name, value in self.old.estimates.items()} if self.old else None,
            "comparisons": {name: asdict(one) for name, one in self.comparisons.items()},
            "forgetting": self.made.results.get("forgetting"),
            "parity": self.made.results.get("parity"),
            "report": page,
        }


def _evaluate(made: Run) -> str:
    return f"dragoman evaluate {made.id} data=PATH"


def card_of(pair: Pair, said: Sequence[str], page: str) -> list[tuple[str, str]]:
    """What the terminal shows at the end."""
    facts = pair.made.results
    rows = [("verdict", pair.headline)]
    for name, one in pair.comparisons.items():
        if name != pair.name and (name in TOLD or one.better != "tie"):
            rows.append((name, f"{one.a:.3f} before, {one.b:.3f} after"))
    if pair.old is None:
        rows += [(name, figure(asdict(value))) for name, value in _shown(pair)]
    if pair.unread:
        rows.append(("too long", f"{pair.unread:,} of the rows are more than the model reads, and count as wrong"))
    lost = facts.get("forgetting")
    if lost:
        rows.append(("forgotten", f"{figure(lost['drop'])}: {lost['probe']}"))
    rows.append(("learnt", f"{facts['learnt']:,} of {facts['weights']:,} weights, by {pair.plan.tuning}"))
    rows.append(("took", f"{show_seconds(facts['seconds'])}, {show_bytes(facts['memory'])} at the peak"))
    rows += [("guessed", text) for text in said]
    rows += [("model", str(pair.made.folder / MODEL)), ("report", page), ("try it", pair.served)]
    return rows


def _shown(pair: Pair) -> list[tuple[str, Any]]:
    names = list(pair.tuned.report.task.metrics)[:6]
    return [(name, pair.tuned.estimates[name]) for name in names if name in pair.tuned.estimates]


def record_of(pair: Pair, why: str, said: Sequence[str], methods: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything the page shows, as JSON types."""
    facts, report = pair.made.results, pair.tuned.report
    order = [pair.name, *(name for name in report.task.metrics if name not in (pair.name, *NEUTRAL))]
    chosen = next((one for one in methods if one["name"] == pair.plan.tuning), None)
    warned = [f"{text}." if not text.endswith(".") else text for text in said]
    if pair.openings > 1:
        warned.append(f"The sealed test was opened {pair.openings} times; each look more makes its figures too good.")
    if pair.unread:
        warned.append(f"{pair.unread:,} test rows are more than the model reads: they count as answered wrong.")
    for one in pair.prepared.results["findings"]:
        if one["severity"] == "warning":
            warned.append(f"{one['name']}: {one['message']}")
    warned += cautions(facts, pair.plan.how.max_length)
    history = [{**point, "validation": point.get("loss")} for point in facts.get("history", [])]
    return {
        "name": pair.project.scope.name,
        "objective": pair.project.scope.objective,
        "created": str(pair.run.record["started"])[:16].replace("T", " ") + " UTC",
        "dragoman": pair.run.record["version"],
        "verdict": "met" if pair.better else "not_met",
        "headline": pair.headline,
        "why": why,
        "rung": pair.plan.tuning,
        "test": {"rows": len(report.predictions), "openings": pair.openings},
        "metrics": {name: asdict(pair.tuned.estimates[name]) for name in order if name in pair.tuned.estimates},
        "paired": _paired(pair),
        "answers": _answers(pair),
        "losses": {"stretch": facts.get("stretch", 1), "points": facts.get("losses", [])},
        "history": history if writes(pair.plan.objective) else [],
        **views(report, report.task.labels),
        "forgetting": facts.get("forgetting"),
        "parity": facts.get("parity"),
        "plan": _plan(chosen, facts),
        "data": data_card(pair.prepared),
        "warnings": warned,
        "settings": {
            "method": pair.plan.tuning,
            "objective": pair.plan.objective,
            "why": why,
            "learning": told_learning(facts.get("learning", ())),
        },
        "lineage": lineage([one for one in (pair.prepared, pair.base, pair.made, pair.tuned.run) if one is not None]),
        "environment": environment(),
        "commands": [pair.served, _evaluate(pair.made)],
    }


def _plan(chosen: dict[str, Any] | None, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was predicted of the method beside what was measured."""
    if chosen is None:
        return []
    return [
        {"what": "memory_mb", "predicted": chosen["memory"] / 1e6, "measured": facts["memory"] / 1e6},
        {"what": "seconds", "predicted": chosen["seconds"], "measured": facts["seconds"]},
    ]


def _paired(pair: Pair) -> list[dict[str, Any]]:
    """Each metric before and after, with the difference of the same rows."""
    if pair.old is None:
        return []
    return [
        {
            "metric": name,
            "leading": name == pair.name,
            "before": asdict(pair.old.estimates[name]),
            "after": asdict(pair.tuned.estimates[name]),
            "difference": asdict(one.difference),
            "p": one.p,
            "test": one.test,
            "detectable": one.detectable,
            "outcome": _outcome(name, one),
        }
        for name, one in pair.comparisons.items()
    ]


def _outcome(name: str, one: Comparison) -> str:
    """In words what a comparison showed; a length is neither better nor worse."""
    if name in NEUTRAL and one.better != "tie":
        return "changed"
    return {"b": "better", "a": "worse", "tie": "tie"}[one.better]


def _answers(pair: Pair) -> list[dict[str, Any]]:
    """Rows with both answers: where the tuning gained most, and where it lost most."""
    if pair.old is None or pair.tuned.report.task.kind == "classify":
        return []
    before, after = pair.old.report, pair.tuned.report
    gains = [new - old for old, new in zip(before.scores(pair.name), after.scores(pair.name), strict=True)]
    order = sorted(range(len(gains)), key=lambda place: (-gains[place], place))
    shown = [("gained", place) for place in order[:ANSWERS] if gains[place] > 0]
    shown += [("lost", place) for place in reversed(order[-ANSWERS:]) if gains[place] < 0]
    return [
        {
            "group": group,
            "text": after.predictions[place].text,
            "expected": " | ".join(after.predictions[place].references[:2]),
            "before": before.predictions[place].answer.text,
            "after": after.predictions[place].answer.text,
            "stopped": [one.predictions[place].answer.finish == "stop" for one in (before, after)],
            "gain": gains[place],
        }
        for group, place in shown
    ]
