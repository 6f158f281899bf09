"""Reads plain text, reStructuredText and Python sources into parts."""

import ast
import re
from collections.abc import Iterator

from dragoman.core.documents import Document
from dragoman.core.errors import UserError
from dragoman.data.documents.parts import Part, compose, decode, lined

__all__ = ["read_python", "read_rst", "read_txt", "rst_parts", "txt_parts"]

ITEM = re.compile(r"\s*([-*+\u2022]|\(?\d{1,3}[.)]|#\.)\s+\S")
RULE = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}\s*$")


def read_txt(data: bytes, source: str) -> Iterator[Document]:
    """A text file: paragraphs stand between blank lines; a form feed begins a page."""
    text, problems = decode(data)
    sheets = text.split("\f")
    many = len(sheets) > 1
    parts = [part for page, sheet in enumerate(sheets, 1) for part in txt_parts(sheet, page if many else 0)]
    yield compose(source, parts, pages=len(sheets) if many else 0, problems=problems)


def read_rst(data: bytes, source: str) -> Iterator[Document]:
    """A file in reStructuredText."""
    text, problems = decode(data)
    parts = list(rst_parts(text))
    yield compose(source, parts, title=_first_heading(parts), problems=problems)


def read_python(data: bytes, source: str) -> Iterator[Document]:
    """A Python source: its docstring, then each definition, and what stands between two of them, as code."""
    text, problems = decode(data)
    text = lined(text)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        told = (*problems, f"it is no Python: {str(error).splitlines()[0] if str(error) else 'too deep'}")
        yield compose(source, [Part(text, "code")], problems=told)
        return
    parts = []
    body = list(tree.body)
    if (doc := ast.get_docstring(tree)) and body:
        parts += list(rst_parts(doc))
        del body[0]
    lines = text.split("\n")
    begun = _end(tree.body[0]) if doc else 0
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)]) - 1
            while first > begun and lines[first - 1].startswith("#"):
                first -= 1  # a comment right above belongs to what it speaks of
            parts += [Part("\n".join(lines[begun:first]), "code"), Part("\n".join(lines[first : _end(node)]), "code")]
            begun = _end(node)
    parts.append(Part("\n".join(lines[begun:]), "code"))
    yield compose(source, parts, problems=problems)


def txt_parts(text: str, page: int = 0) -> Iterator[Part]:
    """The paragraphs and lists of a plain text."""
    for piece in re.split(r"\n[^\S\n]*\n", lined(text)):
        lines = [line for line in piece.split("\n") if line.strip()]
        is_list = bool(lines) and bool(ITEM.match(lines[0])) and (len(lines) == 1 or bool(ITEM.match(lines[1])))
        yield Part(piece.strip("\n"), "list" if is_list else "paragraph", page=page)


def rst_parts(text: str) -> Iterator[Part]:
    """Headings by the order in which their underlines come, literal blocks as code, lists, tables and paragraphs."""
    levels: dict[str, int] = {}
    pieces = re.split(r"\n[^\S\n]*\n", lined(text).expandtabs(8))
    literal = -1  # the indent of what announced a literal block; -1 outside of one
    for piece in pieces:
        lines = [line.rstrip() for line in piece.split("\n") if line.strip()]
        if not lines:
            continue
        indent = min(len(line) - len(line.lstrip()) for line in lines)
        if literal >= 0 and indent > literal:
            yield Part("\n".join(line[indent:] for line in lines), "code")
            continue
        literal = -1
        over = len(lines) >= 3 and RULE.match(lines[0]) and RULE.match(lines[2])
        if over or (len(lines) >= 2 and RULE.match(lines[1]) and not RULE.match(lines[0])):
            mark = ("over" if over else "") + lines[2 if over else 1].strip()[0]
            yield Part(lines[1 if over else 0], "heading", levels.setdefault(mark, len(levels) + 1))
            lines = lines[3 if over else 2 :]
            if not lines:
                continue
        if lines[-1].endswith("::"):
            literal = indent
        whole = "\n".join(line[indent:] if line[:indent].isspace() or not indent else line for line in lines)
        if lines[0].lstrip().startswith(("+--", "+==", "====")):
            yield Part(whole, "table")
        elif lines[0].lstrip().startswith(">>>"):
            yield Part(whole, "code")
        else:
            yield Part(whole, "list" if ITEM.match(lines[0]) else "paragraph")


def _first_heading(parts: list[Part]) -> str:
    return next((part.text for part in parts if part.kind == "heading"), "")


def _end(node: ast.stmt) -> int:
    if node.end_lineno is None:
        raise UserError("a definition has no end", "leave this file out")
    return node.end_lineno
