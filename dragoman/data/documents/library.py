"""Documents every machine has: the topics of Python's manual and the docstrings of its standard library."""

import ast
import warnings
from collections.abc import Iterator

from dragoman.core.documents import Document
from dragoman.data.chapters import CHAPTERS
from dragoman.data.documents.parts import Part, compose
from dragoman.data.documents.plain import rst_parts
from dragoman.data.library import source_rows, topic_rows
from dragoman.data.problems import Row

__all__ = ["library_documents"]


def library_documents() -> Iterator[Document]:
    """`builtin:stdlib`: a document for each topic of help, then one for each public module, by name."""
    for row in topic_rows():
        if isinstance(row, Row):
            parts = list(rst_parts(row.values["text"]))
            title = next((part.text for part in parts if part.kind == "heading"), row.values["id"])
            yield compose(f"topics/{row.values['id']}", parts, title=title)
    chapter_of = {module: chapter.name for chapter in CHAPTERS for module in chapter.modules}
    for row in source_rows():
        if not isinstance(row, Row):
            continue
        module = row.values["id"].removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        chapter = chapter_of.get(module) or chapter_of.get(module.split(".")[0])
        if chapter is None or any(name.startswith("_") and name != "__future__" for name in module.split(".")):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old sources hold odd escapes
            tree = ast.parse(row.values["text"])
        found = list(_parts(tree, module, 0))
        if found:
            yield compose(f"modules/{module}", found, title=module, meta={"chapter": chapter})


def _parts(tree: ast.AST, name: str, level: int) -> Iterator[Part]:
    """The docstrings of a module, a class or a function, each under its full name; private ones are left out."""
    if not isinstance(tree, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return
    text = ast.get_docstring(tree)
    if text:
        if level:
            yield Part(f"{name}({ast.unparse(tree.args)})" if hasattr(tree, "args") else name, "heading", level)
        yield from rst_parts(text) if not level else _below(text)
    if isinstance(tree, ast.Module | ast.ClassDef):
        for child in tree.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name[0] != "_":
                yield from _parts(child, f"{name}.{child.name}", level + 1)


def _below(text: str) -> Iterator[Part]:
    """The parts of a docstring whose own headings are paragraphs: its place is told by the name above it."""
    for part in rst_parts(text):
        yield Part(part.text) if part.kind == "heading" else part
