"""Finds the files that a source names: a file, a pattern or a folder, in an order that is always the same."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dragoman.core.disk import typed
from dragoman.core.errors import UserError
from dragoman.data.problems import Place, Problem

__all__ = ["FORMATS", "File", "find", "format_of"]

FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "txt",
    ".conll": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".iob2": "conll",
}
FILE_LIMIT = 100_000
PARTS = {"train": {"train", "training"}, "held out": {"test", "testing", "dev", "val", "valid", "validation", "eval"}}


@dataclass(frozen=True, slots=True)
class File:
    """A file to read: where it is, what it is called in messages, and its format ("" when its name does not tell)."""

    path: Path
    name: str
    format: str


def format_of(path: Path) -> str:
    """The format that a file name tells, with or without .gz; "" for none."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return FORMATS.get(suffixes[-1], "") if suffixes else ""


def find(source: str, root: Path) -> Iterator[File | Problem]:
    """The files of a path, a pattern (`data/*.jsonl`) or a folder, sorted by name; what is passed over is a problem.

    Relative paths start at `root`. In a folder and under a pattern, a link that leads out of the folder is refused.
    Raises UserError when nothing is there.
    """
    path = typed(source)
    whole = path if path.is_absolute() else root / path
    if whole.is_dir():
        yield from _folder(whole, source)
    elif whole.exists():
        yield File(whole, source, format_of(whole))
    elif any(mark in source for mark in "*?["):
        yield from _pattern(path, root, source)
    else:
        raise _missing(whole, source)


def _missing(path: Path, source: str) -> UserError:
    if path.is_symlink():
        return UserError(f"{source} is a link to a file that is not there", "data.source=PATH names another file")
    near = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, near, n=1)
    meant = f"did you mean '{Path(source).with_name(close[0])}'? " if close else ""
    return UserError(f"there is no file {source}", f"{meant}data.source=PATH names another file, pattern or folder")


def _pattern(pattern: Path, root: Path, source: str) -> Iterator[File | Problem]:
    fixed = Path(pattern.anchor)
    parts = list(pattern.parts[1:] if pattern.anchor else pattern.parts)
    while parts and not any(mark in parts[0] for mark in "*?["):
        fixed /= parts.pop(0)
    base = fixed if pattern.is_absolute() else root / fixed
    paths = sorted(
        path
        for path in base.glob(str(Path(*parts)))
        if (path.is_file() or path.is_symlink()) and (parts[-1].startswith(".") or not path.name.startswith("."))
    )
    if not paths:
        raise UserError(f"no file matches {source}", "data.source=PATH names another file, pattern or folder")
    yield from _members(paths, base, fixed, source)


def _folder(folder: Path, source: str) -> Iterator[File | Problem]:
    paths = sorted(
        path
        for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and (path.is_symlink() or path.is_file())
    )
    rows = [path for path in paths if format_of(path) not in {"", "txt"}]
    stems = {path.name.split(".")[0].lower() for path in rows}
    if all(stems & names for names in PARTS.values()):
        hint = f"data.source={source}/{rows[-1].name} names one; data.validation=PATH and data.test=PATH the others"
        raise UserError(f"the folder {source} holds a training set and one to test on, which must stay apart", hint)
    # A README.txt beside tables is no row; a folder of nothing but texts is a set of texts.
    wanted = rows or [path for path in paths if format_of(path)]
    passed = [path for path in paths if path not in set(wanted)]
    if not wanted:
        kinds = " ".join(sorted(FORMATS))
        raise UserError(f"the folder {source} holds no file to read", f"known are {kinds}, each also with .gz")
    for path in passed:
        yield Problem("file-passed-over", Place(_name(path, folder, source)), "not a table of rows", refused=False)
    yield from _members(wanted, folder, Path(source), source)


def _name(path: Path, base: Path, shown: str | Path) -> str:
    return str(Path(shown) / path.relative_to(base))


def _members(paths: list[Path], base: Path, shown: Path, source: str) -> Iterator[File | Problem]:
    if len(paths) > FILE_LIMIT:
        hint = "cat them into one file, or data.source=PATTERN takes fewer"
        raise UserError(f"{source} holds {len(paths):,} files; the limit is {FILE_LIMIT:,}", hint)
    inside = base.resolve()
    for path in paths:
        name = _name(path, base, shown)
        target = path.resolve()
        if not target.is_relative_to(inside):
            reason = "a link that leads out of the folder"
            yield Problem("link-out", Place(name), reason, "data.source=PATH names the file itself")
        elif not target.is_file():
            yield Problem("link-broken", Place(name), "a link to nothing")
        else:
            yield File(path, name, format_of(path))
