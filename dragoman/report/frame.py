"""What every report shares: its sections in their order, the page around them, and what could not be read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dragoman.report.record import Table, hollow

__all__ = ["Opening", "Section", "frame"]


@dataclass(frozen=True, slots=True)
class Opening:
    """The head of a page: the name of its template, what the browser calls the page, and the view with its words."""

    name: str
    title: str
    view: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Section:
    """One section: the name of its template and anchor, its title, the key it shows, what makes its view."""

    name: str
    title: str
    key: str
    view: Callable[[Table], dict[str, object] | None]


@cache
def _templates() -> Environment:
    """The templates, compiled once. Everything they print is escaped; a name that they do not know is a bug."""
    loader = PackageLoader("dragoman.report", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def frame(opening: Opening, sections: Sequence[Section], record: Table) -> str:
    """The page: UTF-8 HTML without scripts and without anything to fetch.

    A section with nothing to show is left out. Where its key of the record is not empty, the page says that it could
    not be read.
    """
    shown = [
        {"name": section.name, "title": section.title, "view": view}
        for section in sections
        if (view := section.view(record))
    ]
    names = {part["name"] for part in shown}
    unread = [section.key for section in sections if section.name not in names and not hollow(record.get(section.key))]
    style = files("dragoman.report").joinpath("templates", "style.css").read_text(encoding="utf-8")
    return (
        _templates()
        .get_template("page.html")
        .render(
            {
                "opening": f"sections/{opening.name}.html",
                "title": opening.title,
                "head": opening.view,
                "sections": shown,
                "unread": unread,
                # The style is ours and holds no text of the record, so it is the one thing that is not escaped.
                "style": Markup(style),
            }
        )
    )
