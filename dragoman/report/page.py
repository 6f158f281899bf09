"""Builds the report: the record of a run becomes one HTML page that needs nothing but itself."""

from collections.abc import Mapping

from dragoman.report.frame import Opening, Section, frame
from dragoman.report.sections import (
    alignment,
    answers,
    calibration,
    classes,
    commands,
    complaints,
    confusion,
    criteria,
    data,
    forgetting,
    ladder,
    lineage,
    loss,
    paired,
    parity,
    plan,
    risks,
    samples,
    tokens,
    verdict,
)
from dragoman.report.sections import help as advice

__all__ = ["SECTIONS", "render"]


# In the order of a reader's questions: is it good enough, what did it cost, where does it fail, can I repeat it.
SECTIONS = (
    Section("criteria", "Criteria", "criteria", criteria.view),
    Section("paired", "Before against after", "paired", paired.view),
    Section("complaints", "What users complained about", "complaints", complaints.view),
    Section("ladder", "The ladder", "ladder", ladder.view),
    Section("help", "What would help", "help", advice.view),
    Section("plan", "Plan against measured", "", plan.view),
    Section("alignment", "Alignment", "alignment", alignment.view),
    Section("confusion", "Confusion", "confusion", confusion.view),
    Section("calibration", "Calibration", "calibration", calibration.view),
    Section("classes", "Each label", "per_class", classes.view),
    Section("forgetting", "Forgetting", "forgetting", forgetting.view),
    Section("answers", "Both answers", "answers", answers.view),
    Section("samples", "Samples", "samples", samples.view),
    Section("loss", "Loss", "losses", loss.view),
    Section("parity", "Parity", "parity", parity.view),
    Section("data", "Data", "data", data.view),
    Section("tokens", "What is learnt, token by token", "tokens", tokens.view),
    Section("risks", "Risks", "warnings", risks.view),
    Section("lineage", "Lineage", "lineage", lineage.view),
    Section("commands", "Make it again", "commands", commands.view),
)


def render(record: Mapping[str, object]) -> str:
    """The page for the results of a run: UTF-8 HTML without scripts and without anything to fetch.

    Every key but `name` and `verdict` may be missing: its section is then left out. A key that is there but cannot be
    read is named among the risks. Raises UserError where the record has no name or no known verdict.
    """
    head = verdict.view(record)
    return frame(Opening("verdict", f"{head['said']}: {head['name']}", head), SECTIONS, record)
