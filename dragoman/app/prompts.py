"""Prompts as files: a text with {slots}, a name, and a hash of what it says that every answer can tell."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dragoman.core.config import nearest, read_toml
from dragoman.core.disk import typed
from dragoman.core.errors import UserError

__all__ = ["PromptFile", "prompt_told", "read_prompt"]

PART = re.compile(r"\{\{|\}\}|\{([a-z][a-z0-9_]*)\}|[{}]")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
KEYS = ("name", "text", "about")
MARKS = re.compile(r"(?:prompt (.+@[0-9a-f]+)|((?:instruct|cite)@[0-9a-f]+))")
DIGITS = 12  # of the hash: 48 bits tell any number of versions apart that people write


@dataclass(frozen=True)
class PromptFile:
    """A prompt: its text, in which {topic} is a slot, and {{ and }} are braces. Raises UserError where it is none."""

    name: str
    text: str
    about: str = ""
    "What it is for; no model sees it."

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise UserError(f"'{self.name:.40}' is no name of a prompt", "write it in letters, digits, - and _")
        if not self.text.strip():
            raise UserError(f"the prompt {self.name} says nothing", 'write text = """..."""')
        stray = next((found for found in PART.finditer(self.text) if found[0] in ("{", "}")), None)
        if stray is not None:
            line = self.text.count("\n", 0, stray.start()) + 1
            problem = f"line {line} of the prompt {self.name} has a single {stray[0]} that opens or closes no slot"
            raise UserError(problem, "write {topic} for a slot, and {{ or }} for a brace")

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """What has to be given, in the order in which it stands there."""
        return tuple(dict.fromkeys(found[1] for found in PART.finditer(self.text) if found[1]))

    @cached_property
    def version(self) -> str:
        """A hash of the text: whoever changes a letter of it has another prompt."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def mark(self) -> str:
        """What stands in the trace of an answer: `prompt greet@2cf24dba5fb0`."""
        return f"prompt {self.name}@{self.version[:DIGITS]}"

    def filled(self, values: Mapping[str, str]) -> str:
        """The text with its slots filled, once: a value that looks like a slot or a brace stays what it is.

        Raises UserError where a slot has no value, or a value no slot.
        """
        for name in values:
            if name not in self.slots:
                raise UserError(f"the prompt {self.name} has no slot {{{name}}}", nearest(name, self.slots))
        missing = [name for name in self.slots if name not in values]
        if missing:
            raise UserError(f"the prompt {self.name} needs a value for {{{missing[0]}}}", f"give one: {missing[0]}")
        return PART.sub(lambda found: values[found[1]] if found[1] else found[0][0], self.text)


def prompt_told(trace: Sequence[str]) -> str:
    """Which prompt an answer was written by, as its trace tells it: `greet@2cf24dba5fb0`, or the version of a step's
    own words, such as `cite@90a1b2c3d4e5`, where there was no file; empty where no model was told anything."""
    found = [hit for line in trace if (hit := MARKS.fullmatch(line))]
    return next((hit[1] for hit in found if hit[1]), next((hit[2] for hit in found), ""))


def read_prompt(path: str | Path) -> PromptFile:
    """The prompt in a file: TOML with `text` and, if wanted, `name` and `about`; any other file is the text itself.

    Without a name it has its file's. Raises UserError that names the file and what is wrong with it.
    """
    place = typed(path)
    if not place.is_file():
        raise UserError(f"there is no prompt at {place}", "name a .toml or .md file that holds one")
    if place.suffix != ".toml":
        try:
            return PromptFile(place.stem, place.read_bytes().decode("utf-8").replace("\r\n", "\n").strip())
        except UnicodeDecodeError:
            raise UserError(f"{place} is not UTF-8", "save the file as UTF-8") from None
    table = read_toml(place)
    for key, value in table.items():
        if key not in KEYS:
            raise UserError(f"{place} has a '{key}', which no prompt has", nearest(key, KEYS))
        if not isinstance(value, str):
            raise UserError(f"the {key} of {place} is no text", f'write {key} = "..."')
    return PromptFile(table.get("name", place.stem), table.get("text", "").strip(), table.get("about", ""))
