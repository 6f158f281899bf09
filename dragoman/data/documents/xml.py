"""Parses small XML files of office and book formats, without entities, which is how such a file becomes a bomb."""

import xml.etree.ElementTree as ElementTree

from dragoman.core.errors import UserError

__all__ = ["parse_xml"]


def parse_xml(data: bytes, name: str) -> ElementTree.Element:
    """The root of an XML file. Raises UserError where it is none, or declares entities."""
    if b"<!ENTITY" in data or "<!ENTITY".encode("utf-16-le") in data or "<!ENTITY".encode("utf-16-be") in data:
        raise UserError(f"{name} in it declares entities, which are not read", "save it anew with another program")
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UserError(f"{name} in it is no XML: {error}", "save it anew, or leave it out") from None
