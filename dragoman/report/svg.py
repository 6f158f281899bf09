"""A drawing as SVG that stands inside the page, with a title, a description, and classes for its colours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from dragoman.report.text import visible

__all__ = ["Drawing", "Sheet", "element"]

Value = str | float


def element(name: str, attributes: Mapping[str, Value], content: str = "") -> str:
    """One element. Attribute values are escaped; the content must be elements or text escaped before."""
    written = "".join(f' {key}="{_value(value)}"' for key, value in attributes.items() if value != "")
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def _value(value: Value) -> str:
    if isinstance(value, str):
        return str(escape(visible(value)))
    return f"{round(value, 2) + 0.0:g}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a drawing stands on: its size in pixels at full width, its words, and a name that makes its ids unique."""

    name: str
    width: float
    height: float
    title: str
    description: str
    kind: str = ""


@dataclass
class Drawing:
    """Lines, boxes, dots and words, in the order in which they cover one another."""

    parts: list[str] = field(default_factory=list)

    def line(self, ends: tuple[float, float, float, float], kind: str) -> None:
        """A straight line from (x1, y1) to (x2, y2)."""
        x1, y1, x2, y2 = ends
        self.parts.append(element("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": kind}))

    def box(
        self, corner: tuple[float, float], size: tuple[float, float], kind: str, shade: float | None = None
    ) -> None:
        """A rectangle; `shade` in [0, 1] is how strongly its colour covers the page."""
        fill: Value = "" if shade is None else shade
        place: dict[str, Value] = {
            "x": corner[0],
            "y": corner[1],
            "width": max(size[0], 0.0),
            "height": max(size[1], 0.0),
        }
        self.parts.append(element("rect", place | {"class": kind, "fill-opacity": fill}))

    def dot(self, x: float, y: float, radius: float, kind: str) -> None:
        """A circle."""
        self.parts.append(element("circle", {"cx": x, "cy": y, "r": radius, "class": kind}))

    def path(self, points: Sequence[tuple[float, float]], kind: str, *, closed: bool = False) -> None:
        """Straight lines through the points."""
        written = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
        self.parts.append(element("polygon" if closed else "polyline", {"points": written, "class": kind}))

    def text(self, x: float, y: float, content: str, kind: str = "", anchor: str = "") -> None:
        """A text whose base line stands at y. `anchor` is start (the default), middle or end."""
        attributes: dict[str, Value] = {"x": x, "y": y, "class": kind, "text-anchor": anchor}
        self.parts.append(element("text", attributes, str(escape(visible(content)))))

    def group(self, title: str, inner: "Drawing") -> None:
        """A part that has a title of its own, shown when it is pointed at."""
        told = element("title", {}, str(escape(visible(title))))
        self.parts.append(element("g", {}, told + "".join(inner.parts)))

    def markup(self, sheet: Sheet) -> Markup:
        """The drawing, ready to stand in the page."""
        title = element("title", {"id": f"{sheet.name}-title"}, str(escape(visible(sheet.title))))
        about = element("desc", {"id": f"{sheet.name}-desc"}, str(escape(visible(sheet.description))))
        attributes: dict[str, Value] = {
            "class": f"drawing {sheet.kind}".strip(),
            "viewBox": f"0 0 {sheet.width:g} {sheet.height:g}",
            "width": sheet.width,
            "height": sheet.height,
            "role": "img",
            "aria-labelledby": f"{sheet.name}-title {sheet.name}-desc",
        }
        return Markup(element("svg", attributes, title + about + "".join(self.parts)))
