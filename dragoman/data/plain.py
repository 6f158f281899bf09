"""Plain text for training: Unicode's composed form, one kind of line end, no control characters; all else stays."""

import re
import unicodedata

__all__ = ["CHANGES", "REMOVED", "plain"]

CHANGES = {
    "line-ends": "CRLF and CR became LF",
    "composed": "characters were composed (Unicode NFC)",
    "control": "control characters were taken out",
}
# Control characters but tab and LF, a byte order mark inside a text, halves of surrogate pairs.
REMOVED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ud800-\udfff]")


def plain(text: str, control: bool = True) -> tuple[str, tuple[str, ...]]:
    """The text and the names of what was changed (keys of CHANGES). With `control` False none is looked for: the caller
    knows that there is none."""
    found = []
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        found.append("line-ends")
    if not text.isascii():
        composed = unicodedata.normalize("NFC", text)
        if composed != text:
            text = composed
            found.append("composed")
    if control:
        bare = REMOVED.sub("", text)
        if len(bare) < len(text):
            text = bare
            found.append("control")
    return text, tuple(found)
