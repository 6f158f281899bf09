"""Reads Markdown into parts: headings, lists, fenced and indented code, tables, paragraphs."""

import re
from collections.abc import Callable, Iterator

from dragoman.core.documents import Document, Value
from dragoman.data.documents.parts import Part, compose, decode, seen

__all__ = ["markdown_parts", "read_markdown"]

FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])(?:[ \t]+|$)")
DELIMITER = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
BREAK = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$")
FRONT = re.compile(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
COMMENT = re.compile(
    r"(^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?^ {0,3}\2|`[^`\n]+`)|<!--.*?(?:-->|\Z)", re.DOTALL | re.MULTILINE
)
ENTRY = re.compile(r"([A-Za-z][\w-]*)[ \t]*:[ \t]*(.+)$")


def read_markdown(data: bytes, source: str) -> Iterator[Document]:
    """A Markdown file. Simple entries of its front matter become metadata."""
    text, problems = decode(data)
    meta: dict[str, Value] = {}
    whole = seen(text)
    if front := FRONT.match(whole[0]):
        entries = [ENTRY.match(line) for line in (front[1] or "").split("\n")]
        meta = {found[1].lower(): found[2].strip().strip("\"'") for found in entries if found}
        text = whole[0][front.end() :]
    comments = sum(found[1] is None for found in COMMENT.finditer(text))
    parts = list(markdown_parts(COMMENT.sub(lambda found: found[1] or "", text)))
    first = next((part.text for part in parts if part.kind == "heading"), "")
    title = str(meta.get("title", "")) or first
    told = [*problems]
    told += [f"{comments} comments were left out: a reader does not see them"] if comments else []
    if front:  # these were counted nowhere else
        told += [f"{whole[2]} hidden characters were removed (zero width, direction, tags)"] if whole[2] else []
    yield compose(source, parts, title=title, problems=told, meta=meta)


def markdown_parts(text: str) -> Iterator[Part]:
    """The parts of a text in Markdown. Marks of headings and fences are left out; all else stays as it is written."""
    lines = re.sub("\r\n?", "\n", text).split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
        elif fence := FENCE.match(line):
            end = _fence_end(lines, at, fence[1])
            yield Part("\n".join(lines[at + 1 : end]), "code")
            at = end + 1
        elif heading := HEADING.match(line):
            yield Part(heading[2] or "", "heading", len(heading[1]))
            at += 1
        elif BREAK.match(line):
            at += 1  # a line drawn across the page says nothing
        elif line.startswith(("    ", "\t")):
            end = _indented_end(lines, at)
            yield Part("\n".join(_outdented(one) for one in lines[at:end]), "code")
            at = end
        elif "|" in line and at + 1 < len(lines) and "-" in lines[at + 1] and DELIMITER.match(lines[at + 1]):
            end = _while(lines, at + 2, lambda one: "|" in one)
            yield Part("\n".join([line, *lines[at + 2 : end]]), "table")
            at = end
        elif ITEM.match(line):
            end = _list_end(lines, at)
            yield Part("\n".join(lines[at:end]), "list")
            at = end
        else:
            end = _paragraph_end(lines, at)
            if end < len(lines) and (under := UNDERLINE.match(lines[end])):
                yield Part(" ".join(one.strip() for one in lines[at:end]), "heading", 1 if under[1][0] == "=" else 2)
                end += 1
            else:
                yield Part("\n".join(lines[at:end]))
            at = end


def _fence_end(lines: list[str], at: int, mark: str) -> int:
    closing = re.compile(rf" {{0,3}}{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$")
    return next((end for end in range(at + 1, len(lines)) if closing.match(lines[end])), len(lines))


def _indented_end(lines: list[str], at: int) -> int:
    end = at
    for number in range(at, len(lines)):
        if lines[number].startswith(("    ", "\t")):
            end = number + 1
        elif lines[number].strip():
            break
    return end


def _outdented(line: str) -> str:
    return line[1:] if line.startswith("\t") else line[4:] if line.startswith("    ") else line.lstrip()


def _begins(line: str) -> bool:
    """Whether a line ends the paragraph before it."""
    return bool(not line.strip() or FENCE.match(line) or HEADING.match(line) or BREAK.match(line) or ITEM.match(line))


def _paragraph_end(lines: list[str], at: int) -> int:
    end = at + 1
    while end < len(lines) and not _begins(lines[end]) and not UNDERLINE.match(lines[end]):
        end += 1
    return end


def _list_end(lines: list[str], at: int) -> int:
    end = at + 1
    while end < len(lines):
        line = lines[end]
        if not line.strip():
            after = _while(lines, end, lambda one: not one.strip())
            if after == len(lines) or not (ITEM.match(lines[after]) or lines[after].startswith(("  ", "\t"))):
                return end
            end = after
        elif HEADING.match(line) or (FENCE.match(line) and not line.startswith(" ")) or BREAK.match(line):
            return end
        else:
            end += 1
    return end


def _while(lines: list[str], at: int, holds: Callable[[str], bool]) -> int:
    while at < len(lines) and holds(lines[at]):
        at += 1
    return at
