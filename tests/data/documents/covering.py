"""What holds of every document: its blocks stand in order, do not overlap, and leave out nothing but white space."""

import unicodedata

from dragoman.core.documents import Document

__all__ = ["check_blocks"]


def check_blocks(document: Document) -> None:
    """Fail where a block overlaps another, is empty, or leaves letters out."""
    at = 0
    for block in document.blocks:
        assert at <= block.start < block.end <= len(document.text)
        assert not document.text[at : block.start].strip()
        assert document.text[block.start : block.end].strip()
        at = block.end
    assert not document.text[at:].strip()
    assert unicodedata.is_normalized("NFC", document.text)
