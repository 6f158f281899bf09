"""Reads HTML into parts by the standard library's parser: what a reader sees of the page, without its furniture."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from dragoman.core.documents import Document, Kind
from dragoman.data.documents.parts import Part, compose, decode, tidy

__all__ = ["Page", "html_parts", "read_html"]

DROPPED = {
    "script", "style", "noscript", "template", "nav", "svg", "math", "iframe", "object", "canvas", "button", "select",
    "form", "audio", "video", "dialog", "head",
}  # fmt: skip
VOID = {"br", "hr", "img", "input", "meta", "link", "col", "area", "base", "embed", "source", "track", "wbr", "param"}
HEADINGS = {f"h{level}": level for level in range(1, 7)}
BLOCKS = {
    "p", "div", "section", "article", "main", "header", "footer", "aside", "blockquote", "dl", "dt", "dd", "figure",
    "address", "details", "summary", "body", "html", "fieldset", "center", "hr",
}  # fmt: skip
UNSEEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*[01](px|pt)?\s*(;|$)|opacity\s*:\s*0\s*(;|$)"
)
CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)


class Page(HTMLParser):
    """Gathers the parts of a page while it is fed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[Part] = []
        self.title = ""
        self.hidden = 0
        self._words: list[str] = []
        self._kind: Kind = "paragraph"
        self._level = 0
        self._open: list[tuple[str, bool]] = []
        self._dropping = 0
        self._titled = False
        self._lists: list[list[int]] = []
        self._rows: list[list[str]] = []
        self._tables = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        given = dict(attrs)
        if tag == "title" and not self.title:
            self._titled = True
        if tag in VOID:
            self._void(tag, given)
            return
        unseen = "hidden" in given or bool(UNSEEN.search((given.get("style") or "").lower()))
        self.hidden += unseen and not self._dropping
        dropped = tag in DROPPED or unseen
        self._close_implied(tag)
        self._open.append((tag, dropped))
        self._dropping += dropped
        if not self._dropping:
            self._begin(tag)

    def handle_endtag(self, tag: str) -> None:
        """A tag closes; one that is not open is passed over."""
        if tag == "title":
            self._titled = False
        if not any(tag == name for name, _ in self._open):
            return
        while self._open:
            name, dropped = self._open.pop()
            if not self._dropping:
                self._finish(name)
            self._dropping -= dropped
            if name == tag:
                break

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        if self._titled:
            self.title += data
        elif not self._dropping:
            self._words.append(data if self._kind == "code" else re.sub(r"\s+", " ", data))

    def finished(self) -> list[Part]:
        """The parts, once everything was fed."""
        self.close()
        while self._open:
            name, dropped = self._open.pop()
            if not self._dropping:
                self._finish(name)
            self._dropping -= dropped
        self._flush()
        return self.parts

    def _void(self, tag: str, given: dict[str, str | None]) -> None:
        if self._dropping:
            return
        if tag == "br":
            self._words.append("\n")
        elif tag == "hr":
            self._flush_loose()
        elif tag == "img" and (said := given.get("alt")):
            self._words.append(f" {said} ")

    def _close_implied(self, tag: str) -> None:
        """Close what the start of a tag ends: an item ends the item before it, a block ends a paragraph."""
        ends = {
            "li": ("li",),
            "tr": ("tr", "td", "th"),
            "td": ("td", "th"),
            "th": ("td", "th"),
            "dt": ("dd",),
            "dd": ("dt",),
        }
        stop = {"ul", "ol", "table", "tr"} - ({"tr"} if tag == "tr" else set())
        wanted = ends.get(
            tag, ("p",) if tag in BLOCKS or tag in HEADINGS or tag in ("ul", "ol", "pre", "table") else ()
        )
        for name, _ in reversed(self._open):
            if name in wanted:
                self.handle_endtag(name)
                if tag == "tr" and name != "tr":
                    self._close_implied(tag)  # the row of the cell that was closed
                return
            if name in stop:
                return

    def _begin(self, tag: str) -> None:
        if tag in HEADINGS:
            self._flush_loose()
            if not self._lists and not self._tables:
                self._kind, self._level = "heading", HEADINGS[tag]
        elif tag == "pre" and not self._lists and not self._tables:
            self._flush()
            self._kind = "code"
        elif tag in ("ul", "ol"):
            if not self._lists and not self._tables:
                self._flush()
                self._kind = "list"
            self._lists.append([0, tag == "ol"])
        elif tag == "li" and self._lists:
            self._lists[-1][0] += 1
            mark = f"{self._lists[-1][0]}." if self._lists[-1][1] else "-"
            self._words.append("\n" + "  " * (len(self._lists) - 1) + mark + " ")
        elif tag == "table":
            self._table_begins()
        elif tag == "caption" or tag == "figcaption":
            self._flush_loose()
            self._kind = "caption" if not self._tables and not self._lists else self._kind
        elif tag in BLOCKS:
            self._flush_loose()
        elif tag in ("td", "th") and self._tables == 1:
            self._add("paragraph", tidy("".join(self._words)))  # what stands in a table outside of its cells
            self._words = []

    def _table_begins(self) -> None:
        if not self._tables:
            self._flush()
            self._rows = []
        self._tables += 1

    def _finish(self, tag: str) -> None:
        if tag in HEADINGS or tag in BLOCKS or tag in ("caption", "figcaption", "pre"):
            if tag == "caption" and self._tables == 1:
                self._add("caption", " ".join("".join(self._words).split()))
                self._words = []
            self._flush_loose()
        elif tag in ("ul", "ol"):
            self._lists = self._lists[:-1]
            if not self._lists and not self._tables:
                self._flush()
        elif tag == "table" and self._tables:
            self._tables -= 1
            if not self._tables:
                loose = "".join(self._words)
                self._words = []
                rows = [" | ".join(cells) for cells in self._rows if any(cells)]
                self._add("table", "\n".join(rows))
                self._add("paragraph", tidy(loose))
        elif tag in ("td", "th") and self._tables == 1:
            if not self._rows:
                self._rows.append([])
            self._rows[-1].append(" ".join("".join(self._words).split()))
            self._words = []
        elif tag == "tr" and self._tables == 1:
            self._rows.append([])

    def _flush_loose(self) -> None:
        """End a block; inside a list or a table it is but a space."""
        if self._tables or self._lists:
            self._words.append(" ")
        else:
            self._flush()

    def _flush(self) -> None:
        text = "".join(self._words)
        self._words = []
        self._add(self._kind, text if self._kind == "code" else _lined(text) if self._kind == "list" else tidy(text))
        self._kind, self._level = "paragraph", 0

    def _add(self, kind: Kind, text: str) -> None:
        if text.strip():
            text = " ".join(text.split()) if kind == "heading" else text
            self.parts.append(Part(text, kind, self._level if kind == "heading" else 0))


def html_parts(text: str) -> Page:
    """The page of a text in HTML, fed to the end."""
    page = Page()
    page.feed(text)
    page.finished()
    return page


def read_html(data: bytes, source: str) -> Iterator[Document]:
    """An HTML file: headings, paragraphs, lists, tables, code; scripts, styles, menus and the hidden are dropped."""
    text, problems = _decoded(data)
    page = html_parts(text)
    told = [*problems]
    told += [f"{page.hidden} hidden elements were left out: a reader does not see them"] if page.hidden else []
    first = next((part.text for part in page.parts if part.kind == "heading"), "")
    yield compose(source, page.parts, title=tidy(page.title) or first, problems=told)


def _decoded(data: bytes) -> tuple[str, tuple[str, ...]]:
    named = CHARSET.search(data[:4096])
    if named and not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode(named[1].decode("ascii")), ()
        except (LookupError, UnicodeDecodeError):
            pass  # it says what it is not; then it is tried as any text
    return decode(data)


def _lined(text: str) -> str:
    lines = ((line, len(line) - len(line.lstrip(" "))) for line in text.split("\n"))
    return "\n".join(" " * indent + " ".join(line.split()) for line, indent in lines if line.strip())
