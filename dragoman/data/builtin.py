"""A data set every machine has: the docstrings of Python's standard library, labelled by the chapter of its manual.

Python sources are parsed, never imported; only listed compiled modules are, those that do nothing but define names.
"""

import ast
import importlib
import inspect
import re
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from dragoman.core.config import nearest
from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.data.chapters import CHAPTERS, COMPILED
from dragoman.data.library import source_rows, topic_rows
from dragoman.data.problems import Place, Problem, Row

__all__ = ["builtin_rows", "descriptions", "stdlib", "summaries"]

NAMES = ("stdlib", "stdlib-source", "stdlib-topics")
SHORTEST = 20  # characters; "See also foo." says nothing of a chapter
LONGEST = 1000  # characters, about 250 tokens: whole paragraphs up to here
UNSAFE = {
    "test",
    "tests",
    "idlelib",
    "turtledemo",
    "pydoc_data",
    "__main__",
    "_vendor",
    "_bundled",
    "site-packages",
    "tix",
}
SIGNATURE = re.compile(r"^[\w.\[\]=, ]*\w\([^\n]*\)\s*(->[^\n]*)?(\n|$)")
PRIVATE = re.compile(r"_(?!_.*__$)")
EXAMPLE = re.compile(r"^\s*(>>>|\.\.\. )")
HEADING = re.compile(r"(module\s+)?[`'\"]*(?P<name>[\w.]+)[`'\"]*\s*[-:—–]+\s+", re.IGNORECASE)
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`'\"(])")


@dataclass(frozen=True, slots=True)
class _Found:
    """One docstring as it stands, with the full name of what it documents."""

    module: str
    name: str
    text: str


def descriptions() -> dict[str, str]:
    """Each chapter with one sentence on its subject: the labels of `builtin:stdlib`, as a scope holds them."""
    return {chapter.name: chapter.description for chapter in CHAPTERS}


def builtin_rows(name: str) -> Iterator[Row | Problem]:
    """The rows of a built-in set: text, id (the full name) and, of the docstrings alone, label; what was left out is
    counted.

    Raises UserError when there is no set of that name.
    """
    if name not in NAMES:
        raise UserError(f"there is no built-in data named '{name}'", f"{nearest(name, NAMES)}; write builtin:stdlib")
    if name != "stdlib":
        yield from source_rows() if name == "stdlib-source" else topic_rows()
        return
    kept, left_out = _corpus()
    for number, (label, found) in enumerate(kept, start=1):
        yield Row(Place("builtin:stdlib", number), {"text": found.text, "label": label, "id": found.name})
    for reason, count in left_out:
        for _ in range(count):
            yield Problem(reason, Place("builtin:stdlib"), "a docstring was left out", refused=False)


def stdlib() -> list[Example]:
    """The set as examples, some 6,000, in the order of their full names, which stand in `meta["id"]`."""
    rows = [row for row in builtin_rows("stdlib") if isinstance(row, Row)]
    return [
        Example(
            (Message("user", row.values["text"]),),
            (row.values["label"],),
            meta={"place": str(row.place), "id": row.values["id"]},
        )
        for row in rows
    ]


def summaries(n: int) -> list[tuple[str, str]]:
    """`n` pairs (first sentence, the rest) of docstrings, spread over the library, each first sentence once.

    To find the rest by its first sentence is a task that a sound embedder does: it shows what one has forgotten.
    """
    pairs: dict[str, str] = {}
    for _, found in _corpus()[0]:
        parts = SENTENCE.split(found.text.replace("\n", " "), maxsplit=1)
        if len(parts) == 2 and len(parts[0]) >= SHORTEST and len(parts[1]) >= 4 * SHORTEST:
            pairs.setdefault(parts[0], parts[1])
    every = list(pairs.items())
    step = max(1.0, len(every) / max(1, n))
    return [every[int(index * step)] for index in range(min(n, len(every)))]


@cache
def _corpus() -> tuple[tuple[tuple[str, _Found], ...], tuple[tuple[str, int], ...]]:
    """Every docstring worth keeping with its chapter, and how many were left out for which reason."""
    chapter_of = {module: chapter.name for chapter in CHAPTERS for module in chapter.modules}
    left_out: Counter[str] = Counter()
    seen: dict[str, _Found] = {}
    labels: dict[str, str] = {}
    every = sorted({found.name: found for found in _docstrings(set(chapter_of))}.values(), key=lambda found: found.name)
    for found in every:
        text = _without_name(_paragraphs(found.text), found)
        words = re.findall(r"\w+", text.lower())
        if PRIVATE.match(found.name.rsplit(".", 1)[-1]) and found.name != found.module:
            left_out["private-docstring"] += 1  # the manual does not answer for it
        elif len(text) < SHORTEST:
            left_out["short-docstring"] += 1
        elif words and words[0] in {part.lstrip("_") for part in found.module.lower().split(".")}:
            left_out["docstring-begins-with-its-module"] += 1
        elif (key := " ".join(words)) in seen:
            left_out["duplicate-docstring"] += 1
        else:
            seen[key] = _Found(found.module, found.name, text)
            labels[key] = chapter_of.get(found.module) or chapter_of[found.module.split(".")[0]]
    return tuple((labels[key], found) for key, found in seen.items()), tuple(sorted(left_out.items()))


def _docstrings(modules: set[str]) -> Iterator[_Found]:
    root = Path(sysconfig.get_path("stdlib"))
    for name in sorted(modules):
        path = root / name
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        for file in files:
            parts = file.relative_to(root).with_suffix("").parts
            if file.is_file() and not UNSAFE & set(parts):
                yield from _parsed(file, ".".join(parts).removesuffix(".__init__"))
    for name in COMPILED:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue  # not every build of Python has every compiled module
        if name in modules:
            yield from _compiled(module)


def _parsed(file: Path, module: str) -> Iterator[_Found]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old sources hold odd escapes; they are not ours to mend
        tree = ast.parse(file.read_bytes())
    yield from _walk(tree, module, module)


def _walk(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, module: str, name: str
) -> Iterator[_Found]:
    text = ast.get_docstring(node)
    if text:
        yield _Found(module, name, text)
    if isinstance(node, ast.Module | ast.ClassDef):
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _walk(child, module, f"{name}.{child.name}")


def _compiled(module: ModuleType) -> Iterator[_Found]:
    name = module.__name__
    if module.__doc__:
        yield _Found(name, name, inspect.cleandoc(module.__doc__))
    for key, value in sorted(vars(module).items()):
        home = getattr(value, "__module__", name) or name
        if (
            key.startswith("_")
            or not (inspect.isroutine(value) or inspect.isclass(value))
            or home.lstrip("_") != name.lstrip("_")
        ):
            continue
        if isinstance(value.__doc__, str):
            yield _Found(name, f"{name}.{key}", inspect.cleandoc(value.__doc__))
        for inner, member in sorted(vars(value).items()) if inspect.isclass(value) else ():
            text = getattr(member, "__doc__", None)
            routine = inspect.isroutine(member) or inspect.isdatadescriptor(member)
            if routine and isinstance(text, str) and not (inner.startswith("__") and name != "builtins"):
                yield _Found(name, f"{name}.{key}.{inner}", inspect.cleandoc(text))


def _paragraphs(text: str) -> str:
    """The first paragraphs, up to LONGEST characters, without signatures and examples (which would name the module)."""
    while match := SIGNATURE.match(text):
        text = text[match.end() :].lstrip("\n")
    kept: list[str] = []
    length = 0
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in paragraph.split("\n")]
        if EXAMPLE.match(paragraph) or not any(lines):
            continue
        block = " ".join(line for line in lines if line and not EXAMPLE.match(line))
        if kept and length + len(block) > LONGEST:
            break
        kept.append(block[:LONGEST])
        length += len(block)
    return "\n".join(kept).strip()


def _without_name(text: str, found: _Found) -> str:
    """The text without a heading such as `json: ...` or `threading.py - ...`, which would give the answer away."""
    names = {name.lower() for name in (found.module, found.module.split(".")[-1], found.name.split(".")[-1])}
    match = HEADING.match(text)
    if match and match["name"].lower().removesuffix(".py") in names:
        return text[match.end() :]
    return text
