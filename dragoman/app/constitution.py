"""A constitution: the principles by which answers are criticised, revised and preferred, read from a file and checked.

[[principle]]                    # one table each
name = "polite"
critique = "Say where this answer is rude."
revision = "Rewrite the answer so that it is polite."
prefer = "Which of these answers is less rude?"

[[example]]                      # as many as you like: shown to the model before it criticises
principle = "polite"
prompt = "Where is the station?"
answer = "Look at a map, fool."
critique = "It calls the person a fool."
revision = "Take the second street on the left."
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman.core.config import nearest, read_toml
from dragoman.core.disk import typed
from dragoman.core.errors import UserError

__all__ = ["Constitution", "Demonstration", "Principle", "default_constitution", "read_constitution"]

DEFAULT = Path(__file__).with_name("constitution.toml")
PARTS = ("critique", "revision", "prefer")
SHOWN = ("principle", "prompt", "answer", "critique", "revision")
TABLES = {"principle": ("name", *PARTS), "example": SHOWN}


@dataclass(frozen=True, slots=True)
class Principle:
    """One thing that is asked of an answer: to be criticised and rewritten by it, or preferred by it, or both."""

    name: str
    critique: str = ""
    revision: str = ""
    prefer: str = ""
    "the question whose answer is the better of two answers"


@dataclass(frozen=True, slots=True)
class Demonstration:
    """An answer that was criticised and rewritten by a principle, as an example of how it is done."""

    principle: Principle
    prompt: str
    answer: str
    critique: str
    revision: str


@dataclass(frozen=True, slots=True)
class Constitution:
    """Principles, and examples of critique and revision."""

    principles: tuple[Principle, ...]
    examples: tuple[Demonstration, ...] = ()

    @property
    def revising(self) -> tuple[Principle, ...]:
        """The principles by which an answer can be criticised and rewritten."""
        return tuple(one for one in self.principles if one.critique)

    @property
    def preferring(self) -> tuple[Principle, ...]:
        """The principles by which one of two answers can be preferred."""
        return tuple(one for one in self.principles if one.prefer)

    def to_revise(self, seed: int, row: str, number: int) -> Principle:
        """The principle of a row in a round, from 0 on. Raises UserError where none can revise.

        Each row has a deck of its own, mixed by seed and row alone and dealt a card a round: no principle is fixed,
        and none comes again before all have come. (Bai et al. 2022, 2212.08073, draw anew each time, with returns.)
        """
        return _dealt(self.revising, "critique", seed, row, number)

    def to_prefer(self, seed: int, row: str) -> Principle:
        """The principle by which a row's answers are compared. Raises UserError where none can."""
        return _dealt(self.preferring, "prefer", seed, row, 0)


def default_constitution() -> Constitution:
    """Eight plain principles: helpful, honest, harmless, and not evasive."""
    return _made(tomllib.loads(DEFAULT.read_text(encoding="utf-8")), DEFAULT.name)


def read_constitution(path: str | Path) -> Constitution:
    """The constitution in a file. Raises UserError that names the table and the key that is wrong."""
    place = typed(path)
    if not place.is_file():
        raise UserError(f"there is no constitution at {place}", "name a TOML file of principles: constitution=FILE")
    return _made(read_toml(place), str(place))


def _dealt(principles: tuple[Principle, ...], part: str, seed: int, row: str, number: int) -> Principle:
    if not principles:
        said = f"no principle of the constitution has a '{part}'"
        raise UserError(said, f'write {part} = "..." under a [[principle]], or name another file: constitution=FILE')

    def drawn(one: Principle) -> bytes:
        return hashlib.sha256(f"{seed}\0{row}\0{one.name}".encode("utf-8", "replace")).digest()

    return sorted(principles, key=drawn)[number % len(principles)]


def _made(tables: Mapping[str, Any], file: str) -> Constitution:
    for name in tables:
        if name not in TABLES:
            raise _mistake(f"{file} has a '{name}', which no constitution has", nearest(name, TABLES))
    principles: dict[str, Principle] = {}
    for number, table in enumerate(_tables(tables, "principle", file), 1):
        where = f"principle {number} of {file}"
        texts = _texts(table, "principle", where)
        _need(texts, ("name",), where)
        where = f"the principle '{texts['name']}' of {file}"
        if texts["name"] in principles:
            raise _mistake(f"{where} is there twice", "give each principle a name of its own")
        if not any(part in texts for part in PARTS):
            raise _mistake(f"{where} asks nothing", "write critique and revision, or prefer, or all three")
        if ("critique" in texts) != ("revision" in texts):
            _need(texts, ("critique", "revision"), where)
        principles[texts["name"]] = Principle(*(texts.get(part, "") for part in ("name", *PARTS)))
    if not principles:
        raise _mistake(f"{file} holds no principle", "write at least one [[principle]]")
    examples = []
    for number, table in enumerate(_tables(tables, "example", file), 1):
        where = f"example {number} of {file}"
        texts = _texts(table, "example", where)
        _need(texts, SHOWN, where)
        shown = principles.get(texts["principle"])
        if shown is None or not shown.critique:
            able = [name for name, one in principles.items() if one.critique]
            said = f"{where} is one of '{texts['principle']}', by which nothing is criticised here"
            raise _mistake(said, nearest(texts["principle"], able))
        examples.append(Demonstration(shown, *(texts[key] for key in SHOWN[1:])))
    return Constitution(tuple(principles.values()), tuple(examples))


def _tables(tables: Mapping[str, Any], name: str, file: str) -> list[Mapping[str, Any]]:
    found = tables.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise _mistake(f"'{name}' of {file} is no list of tables", f"write [[{name}]] above each")
    return found


def _texts(table: Mapping[str, Any], kind: str, where: str) -> dict[str, str]:
    """The texts of a table without what surrounds them; an empty one counts as missing."""
    for key, value in table.items():
        if key not in TABLES[kind]:
            raise _mistake(f"{where} has a '{key}', which no {kind} has", nearest(key, TABLES[kind]))
        if not isinstance(value, str):
            raise _mistake(f"the {key} of {where} is no text", f'write {key} = "..."')
    return {key: value.strip() for key, value in table.items() if value.strip()}


def _need(texts: Mapping[str, str], keys: tuple[str, ...], where: str) -> None:
    for key in keys:
        if key not in texts:
            raise _mistake(f"{where} has no {key}", f'write {key} = "..." in it')


def _mistake(problem: str, hint: str) -> UserError:
    return UserError(problem, hint)
