"""Tells by its first bytes what a file is: text in which encoding, or something else under a wrong name."""

__all__ = ["foreign", "wide_encoding"]

# The first bytes of the kinds of file that turn up where rows of text were meant.
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive (.xlsx and .docx are zip archives too)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"%PDF", "a PDF"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x7fELF", "a program"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"GGUF", "a GGUF model"),
)
PICKLE_PROTOCOLS = range(2, 6)


def foreign(head: bytes) -> str:
    """What a file that is no text is called ("a PDF"), from its first bytes; "" for text."""
    for start, kind in SIGNATURES:
        if head.startswith(start):
            return kind
    if len(head) > 2 and head[0] == 0x80 and head[1] in PICKLE_PROTOCOLS:
        return "a pickle, which could run code when opened"
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    return ""


def wide_encoding(head: bytes) -> str:
    """The name iconv knows for UTF-16 or UTF-32 text, from its first bytes; "" for anything else."""
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "UTF-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    # Without a mark: most European text in UTF-16 has a zero in every second byte.
    even, odd = head[0::2], head[1::2]
    if len(odd) >= 8:
        if odd.count(0) > 0.6 * len(odd) and even.count(0) < 0.1 * len(even):
            return "UTF-16LE"
        if even.count(0) > 0.6 * len(even) and odd.count(0) < 0.1 * len(odd):
            return "UTF-16BE"
    return ""
