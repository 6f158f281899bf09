"""A page as the tests read it: its elements and text, its drawings, and what must hold for every page."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

__all__ = [
    "STRANGE",
    "Page",
    "assert_anchored",
    "assert_no_strange_figure",
    "assert_nothing_fetched",
    "assert_told_in_words",
    "colours",
    "contrast",
    "drawings",
    "places",
]

VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """The elements, attributes and text of a page; it refuses tags that do not close in their order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def drawings(html: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(found) for found in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Every place in a record: of a list, the first and the last item stand for all."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += places(item, (*path, key))
    elif isinstance(value, list) and value:
        for index in sorted({0, len(value) - 1}):
            found += places(value[index], (*path, index))
    return found


STRANGE = [
    None,
    float("nan"),
    float("inf"),
    -1,
    0,
    1e308,
    10**400,
    True,
    "",
    "text",
    [],
    {},
    [None],
    {"value": None},
    [[1]],
]


def luminance(colour: tuple[float, float, float]) -> float:
    """The relative luminance of a colour with parts in [0, 1] (WCAG 2.2)."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def colours(block: str) -> dict[str, tuple[float, float, float]]:
    found = re.findall(r"--([\w-]+): #([0-9a-f]{6});", block)
    return {name: tuple(int(code[at : at + 2], 16) / 255 for at in (0, 2, 4)) for name, code in found}  # type: ignore[misc]


def assert_nothing_fetched(html: str, page: Page) -> None:
    """No script, no image, no link that leaves the page."""
    allowed = re.compile(r"#[\w-]+$|data:,$")
    for tag, attributes in page.elements:
        assert tag not in {
            "script",
            "iframe",
            "img",
            "object",
            "embed",
            "form",
            "base",
            "image",
            "use",
            "audio",
            "video",
        }
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in ("href", "src", "srcset", "action", "data", "poster", "xlink:href", "background"):
            assert name not in attributes or allowed.match(attributes[name]), (tag, attributes)
    style = html.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in style


def assert_anchored(page: Page) -> None:
    """Every id is there once, and every link and label leads to one."""
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for name in ("aria-labelledby", "href"):
            for target in attributes.get(name, "").split():
                assert target.lstrip("#") in ids or target == "data:,"


def assert_told_in_words(found: list[ElementTree.Element]) -> None:
    """Every drawing has a title and a description of its own."""
    for drawing in found:
        assert drawing.get("role") == "img"
        title, told = drawing[0], drawing[1]
        assert (title.tag, told.tag) == ("title", "desc")
        assert title.text
        assert told.text
        assert drawing.get("aria-labelledby") == f"{title.get('id')} {told.get('id')}"


def assert_no_strange_figure(html: str, path: object) -> None:
    """No text and no place in a drawing says NaN, infinity or None."""
    for drawing in drawings(html):
        for element in drawing.iter():
            for name, value in element.attrib.items():
                assert not re.search(r"\b(nan|inf|none)\b", value, re.IGNORECASE) or name in (
                    "id",
                    "aria-labelledby",
                )
    shown = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    assert not re.search(r">(nan|inf|-inf|None)\b|\[(nan|inf)", shown), path
