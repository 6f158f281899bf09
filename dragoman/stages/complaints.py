"""What users complained about, answered again: the collected cases with the answer of then beside that of now."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from dragoman.core.doors import Metric, Row
from dragoman.core.project import Project
from dragoman.core.runs import Run
from dragoman.core.show import Tick, silent
from dragoman.core.types import Answer, Example
from dragoman.data.collected import FOLDER, apart, read_collected
from dragoman.evals.compare import difference
from dragoman.evals.interval import estimate
from dragoman.evals.task import asked, leading
from dragoman.stages.assistants import Opened, open_assistant
from dragoman.stages.evaluate import measure
from dragoman.stages.prepare import learnt_by

__all__ = ["cases_of", "complained", "told"]

SHOWN = 20
SAME = 1e-9


def cases_of(project: Project) -> tuple[Example, ...]:
    """The collected cases of a project; none where it takes in nothing that was collected."""
    return read_collected(project.root / FOLDER).cases if project.data.collected else ()


def complained(project: Project, made: Run, tick: Tick = silent) -> dict[str, Any]:
    """How a rung answers the cases, paired with what was answered when people complained; nothing without cases.

    Of labels a case is fixed, broken, still right or still wrong; of texts the leading metric against the right answer
    rose, fell, or stayed. A case that stands in the training part, exactly or nearly, is left out and counted as
    `learnt`. The cases are no part of the verdict: they are chosen by what went wrong.
    """
    opened = open_assistant(made)
    known = [one for one in cases_of(project) if _known(one, opened)]
    cases = apart(known, learnt_by(made), project.data.near_duplicate) if known else []
    left = {"learnt": len(known) - len(cases)} if len(cases) < len(known) else {}
    if not cases:
        return {"rows": 0, "outcomes": {}, **left} if left else {}
    done = measure(opened, tuple(cases), "collected cases", tick, requests=0, names=asked(project.scope))
    labelled = opened.task == "classify"
    name = "accuracy" if labelled else leading(done.report.task)
    metric, now = done.report.task.metrics[name], done.report.measured[name]
    given = [tuple(str(text) for text in one.meta.get("given", ())) for one in cases]
    before = np.stack(
        [metric.measure(_answer(one, labelled), case.answers) for one, case in zip(given, cases, strict=True)]
    )
    rows = [
        {
            "text": case.text,
            "expected": ", ".join(case.answers),
            "before": ", ".join(one),
            "now": ", ".join(prediction.labels) if labelled else prediction.answer.text,
            "outcome": outcome,
        }
        for case, one, prediction, outcome in zip(
            cases, given, done.report.predictions, _outcomes(metric, before, now, labelled), strict=True
        )
    ]
    return {
        "metric": name,
        "rows": len(rows),
        **left,
        "before": asdict(estimate(metric, before)),
        "now": asdict(estimate(metric, now)),
        "difference": asdict(difference(metric, before, now, name=name).difference),
        "outcomes": {name: sum(row["outcome"] == name for row in rows) for name in dict.fromkeys(_names(rows))},
        "cases": sorted(rows, key=lambda row: row["outcome"] not in ("broken", "worse", "still wrong", "the same"))[
            :SHOWN
        ],
        "evaluation": done.run.id,
    }


def told(found: Mapping[str, Any]) -> str:
    """The outcomes in one line."""
    outcomes = ", ".join(f"{count} {name}" for name, count in found["outcomes"].items())
    left = f"; {found['learnt']} left out: training holds them" if found.get("learnt") else ""
    return f"{found['rows']} cases{': ' if outcomes else ''}{outcomes}{left}"


def _known(case: Example, opened: Opened) -> bool:
    """Whether the assistant could be right at all."""
    if opened.task != "classify":
        return bool(case.answers)
    return set(case.answers) <= set(opened.labels) and (opened.multi_label or len(case.answers) == 1)


def _answer(given: tuple[str, ...], labelled: bool) -> Answer:
    return Answer(", ".join(given), given) if labelled else Answer(given[0] if given else "")


def _outcomes(metric: Metric, before: Row, now: Row, labelled: bool) -> list[str]:
    """What became of each row, of rows of shape [cases, width]."""
    sign = 1.0 if metric.higher_is_better else -1.0
    found = []
    for old, new in zip(before, now, strict=True):
        gain = sign * (metric.combine(new[None]) - metric.combine(old[None]))
        if gain > SAME:
            found.append("fixed" if labelled else "better")
        elif gain < -SAME:
            found.append("broken" if labelled else "worse")
        elif labelled:
            found.append("still right" if metric.combine(new[None]) > 0.5 else "still wrong")
        else:
            found.append("the same")
    return found


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted(str(row["outcome"]) for row in rows)
