"""Settings: TOML files and `section.key=value` words become frozen dataclasses, checked, with a did-you-mean for each
mistake.

The dataclass is the only place where a setting stands: its default, its type and, in the string under the field, its
help.
"""

import ast
import dataclasses
import difflib
import inspect
import textwrap
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from dragoman.core.errors import UserError

__all__ = ["Setting", "build", "describe", "dump", "merge", "nearest", "parse_word", "read_toml"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as help and docs show it."""

    name: str
    kind: str
    default: str
    help: str


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint that offers the closest of the known names, and all of them when they are few."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    listed = ", ".join(known[:30]) or "none"
    return f"did you mean '{close[0]}'? known: {listed}" if close else f"known: {listed}"


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises UserError with line and column when it is not TOML or not UTF-8."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8: {error.reason} at byte {error.start}", "save the file as UTF-8"
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "give a project file that can be read") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not valid TOML: {error}", 'a text value stands in quotes: name = "value"') from None


def parse_word(word: str) -> tuple[tuple[str, ...], Any]:
    """`data.near_duplicate=0.9` as (("data", "near_duplicate"), 0.9); a value that is not TOML is taken as text."""
    name, _, text = word.partition("=")
    path = tuple(part.strip() for part in name.split("."))
    if not all(path):
        raise UserError(f"'{word}' is not a setting", "write it as section.key=value, for example data.seed=1")
    try:
        return path, tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return path, text


def merge(table: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A copy of the nested tables in which the setting at `path` is `value`; a bare value for a table stands under
    `""`."""
    grown = dict(table)
    if len(path) == 1:
        old = grown.pop(path[0], None)  # what is given last stands last, so that it wins over the same setting bare
        grown[path[0]] = {**old, "": value} if isinstance(old, Mapping) and not isinstance(value, Mapping) else value
        return grown
    inner = grown.get(path[0], {})
    grown[path[0]] = merge(inner if isinstance(inner, Mapping) else {"": inner}, path[1:], value)
    return grown


def build(kind: type[T], table: Any, where: str = "") -> T:
    """An instance of a frozen dataclass from nested tables, all names and values checked.

    A dataclass field may be given as a bare value, which then is its first field: `data=rows.csv` is
    `data.source=rows.csv`. Raises UserError that names the setting, what was wrong and the nearest known name.
    """
    from pydantic import TypeAdapter, ValidationError

    clean = _known(kind, table, where)
    try:
        return TypeAdapter(kind).validate_python(clean)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([where, *map(str, first["loc"])] if where else map(str, first["loc"]))
        if first["type"] == "missing" and isinstance(first["loc"][-1], str):
            raise UserError(f"the setting {place} is missing", f"add it to the file, or say {place}=...") from None
        message = first["msg"].removeprefix("Value error, ")
        raise UserError(
            f"{place} cannot be {first['input']!r}", message[0].lower() + message[1:] + _example(kind, first["loc"])
        ) from None


def _example(kind: type[Any], loc: tuple[int | str, ...]) -> str:
    for setting in describe(kind) if len(loc) == 1 else ():
        if setting.name == loc[0] and setting.default:
            return f" (the default is {setting.default})"
    return ""


def _known(kind: type[Any], table: Any, where: str) -> Any:
    """The table with unknown names refused, bare values of sections wrapped, and numbers made text where text is
    asked."""
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    if isinstance(table, kind):
        return table
    if not isinstance(table, Mapping):
        table = {"": table}
    hints = _hints(kind)
    clean: dict[str, Any] = {}
    for name, value in table.items():
        key = name or next(iter(fields))
        if key not in fields:
            place = f"{where}.{key}" if where else key
            raise UserError(f"there is no setting named '{place}'", nearest(key, fields))
        inner = hints[key]
        if dataclasses.is_dataclass(inner) and isinstance(inner, type):
            value = _known(inner, value, f"{where}.{key}" if where else key)
        elif typing.get_origin(inner) is tuple and isinstance(value, str):
            value = [value]
        elif inner is str and isinstance(value, int | float | date) and not isinstance(value, bool):
            value = str(value)  # a word such as 2027-01-31 is a number or a day to TOML
        clean[key] = value
    return clean


def _hints(kind: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def dump(settings: Any) -> Any:
    """Settings as JSON types with every default filled in, so that a record holds all that was in force."""
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        return {field.name: dump(getattr(settings, field.name)) for field in dataclasses.fields(settings)}
    if isinstance(settings, Mapping):
        return {str(name): dump(value) for name, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [dump(value) for value in settings]
    return str(settings) if isinstance(settings, Path) else settings


def describe(kind: type[Any]) -> tuple[Setting, ...]:
    """Name, type, default and help (the string under the field) of each setting, read from the source of the
    dataclass."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = []
    for line, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            text = after.value if isinstance(after, ast.Expr) else None
            said = text.value if isinstance(text, ast.Constant) and isinstance(text.value, str) else ""
            default = ast.unparse(line.value) if line.value else ""
            kind_text = ast.unparse(line.annotation)
            if "ClassVar" not in kind_text:
                found.append(Setting(line.target.id, kind_text, _plain(default), " ".join(said.split())))
    return tuple(found)


def _plain(default: str) -> str:
    """`field(default_factory=dict)` as a reader wants to see it."""
    if default.startswith("field(default_factory="):
        made = default.removeprefix("field(default_factory=").rstrip(")")
        return {"dict": "{}", "tuple": "()", "list": "[]"}.get(made, "")
    return default
