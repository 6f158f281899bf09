"""Reads EPUB books: the chapters in the order of the spine, each as a page of HTML."""

import posixpath
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from dragoman.core.documents import Document, Value
from dragoman.core.errors import UserError
from dragoman.data.documents.archive import Opened, open_archive
from dragoman.data.documents.html import html_parts
from dragoman.data.documents.parts import Part, compose, decode
from dragoman.data.documents.xml import parse_xml

__all__ = ["read_epub"]

CONTAINER = "META-INF/container.xml"
LOCKS = "META-INF/encryption.xml"


def read_epub(data: bytes, source: str) -> Iterator[Document]:
    """A book as one document; author and language become metadata. A chapter that cannot be read is told."""
    book = open_archive(data)
    root = parse_xml(book.read(CONTAINER), CONTAINER)
    place = next((one.get("full-path", "") for one in root.iter() if _name(one) == "rootfile"), "")
    package = parse_xml(book.read(place), place)
    locked = book.read(LOCKS).decode("utf-8", "replace") if LOCKS in book.names() else ""
    parts: list[Part] = []
    problems: list[str] = []
    hidden = 0
    for name in _spine(package, posixpath.dirname(place)):
        if name in locked:
            problems.append(f"{name} is locked by the rights of its publisher")
            continue
        try:
            page = html_parts(_text(book, name))
        except UserError as error:
            problems.append(error.problem)
            continue
        hidden += page.hidden
        parts += page.parts
    if hidden:
        problems.append(f"{hidden} hidden elements were left out: a reader does not see them")
    named = {_name(one): " ".join("".join(one.itertext()).split()) for one in reversed(list(package.iter()))}
    meta: dict[str, Value] = {
        ours: named[theirs] for theirs, ours in (("creator", "author"), ("language", "language")) if named.get(theirs)
    }
    yield compose(source, parts, title=named.get("title", ""), problems=problems, meta=meta)


def _name(element: Element) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def _spine(package: Element, folder: str) -> Iterator[str]:
    items = {one.get("id", ""): one for one in package.iter() if _name(one) == "item"}
    for reference in package.iter():
        if _name(reference) != "itemref" or (item := items.get(reference.get("idref", ""))) is None:
            continue
        if "html" in item.get("media-type", "") and "nav" not in item.get("properties", "").split():
            yield posixpath.normpath(posixpath.join(folder, unquote(item.get("href", "").split("#")[0])))


def _text(book: Opened, name: str) -> str:
    return decode(book.read(name))[0]
