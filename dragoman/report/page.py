"""Builds the report: the record of a run becomes one HTML page that needs nothing but itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dragoman.report.record import Table, hollow
from dragoman.report.sections import (
    calibration,
    classes,
    commands,
    confusion,
    criteria,
    data,
    forgetting,
    ladder,
    lineage,
    parity,
    plan,
    risks,
    samples,
    verdict,
)
from dragoman.report.sections import help as advice

__all__ = ["SECTIONS", "Section", "render"]


@dataclass(frozen=True, slots=True)
class Section:
    """One section: the name of its template and anchor, its title, the key it shows, what makes its view."""

    name: str
    title: str
    key: str
    view: Callable[[Table], dict[str, object] | None]


# In the order of a reader's questions: is it good enough, what did it cost, where does it fail, can I repeat it.
SECTIONS = (
    Section("criteria", "Criteria", "criteria", criteria.view),
    Section("ladder", "The ladder", "ladder", ladder.view),
    Section("help", "What would help", "help", advice.view),
    Section("plan", "Plan against measured", "", plan.view),
    Section("confusion", "Confusion", "confusion", confusion.view),
    Section("calibration", "Calibration", "calibration", calibration.view),
    Section("classes", "Each label", "per_class", classes.view),
    Section("forgetting", "Forgetting", "forgetting", forgetting.view),
    Section("samples", "Samples", "samples", samples.view),
    Section("parity", "Parity", "parity", parity.view),
    Section("data", "Data", "data", data.view),
    Section("risks", "Risks", "warnings", risks.view),
    Section("lineage", "Lineage", "lineage", lineage.view),
    Section("commands", "Make it again", "commands", commands.view),
)


@cache
def _templates() -> Environment:
    """The templates, compiled once. Everything they print is escaped; a name that they do not know is a bug."""
    loader = PackageLoader("dragoman.report", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def render(record: Mapping[str, object]) -> str:
    """The page for the results of a run: UTF-8 HTML without scripts and without anything to fetch.

    Every key but `name` and `verdict` may be missing: its section is then left out. A key that is there but cannot be
    read is named among the risks. Raises UserError where the record has no name or no known verdict.
    """
    head = verdict.view(record)
    shown = [
        {"name": section.name, "title": section.title, "view": view}
        for section in SECTIONS
        if (view := section.view(record))
    ]
    names = {part["name"] for part in shown}
    unread = [section.key for section in SECTIONS if section.name not in names and not hollow(record.get(section.key))]
    style = files("dragoman.report").joinpath("templates", "style.css").read_text(encoding="utf-8")
    # The style is ours and holds no text of the record, so it is the one thing that is not escaped.
    return (
        _templates()
        .get_template("page.html")
        .render({"head": head, "sections": shown, "unread": unread, "style": Markup(style)})
    )
