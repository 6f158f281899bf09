"""Plants failures in what a model that writes is to learn, and looks at what the check says of them."""

from collections.abc import Sequence
from pathlib import Path

from dragoman.core.types import Example, Message
from dragoman.data.check import Finding
from dragoman.nn.tokenizer import Tokenizer
from dragoman.stages.check_marks import Reading
from dragoman.stages.check_tokens import inspect_tokens
from tests.nn.chats import write_chat

__all__ = ["WORDS", "chat", "example", "examples", "names", "tokenizer"]

WORDS = ("cat", "mat", "hello", "friend", "sat", "you")


def example(asked: str, answer: str, system: str = "", place: str = "rows.jsonl:1:1") -> Example:
    """One question and its answer."""
    before = (Message("system", system),) if system else ()
    return Example((*before, Message("user", asked)), (answer,), meta={"place": place})


def examples(count: int = 50) -> list[Example]:
    """Healthy rows, none like another."""
    return [
        example(f"say {WORDS[n % 6]} {n}", f"the {WORDS[n % 6]} is number {n}", place=f"rows.jsonl:{n + 1}:1")
        for n in range(count)
    ]


def chat(*turns: tuple[str, str]) -> Example:
    """A dialogue; its last turn is the answer."""
    *before, (_, answer) = turns
    return Example(tuple(Message(role, text) for role, text in before), (answer,), meta={"place": "chats.jsonl:1:1"})


def tokenizer(folder: Path, name: str = "chatml", template: str = "", plain: tuple[str, ...] = ()) -> Tokenizer:
    """A small tokenizer in the manner of a published family, with another template where one is given."""
    return Tokenizer(write_chat(name, folder / name, template, plain))


def names(
    given: Tokenizer, rows: Sequence[Example], room: int = 256, reading: Reading | None = None
) -> dict[str, Finding]:
    """The findings by their names."""
    return {one.name: one for one in inspect_tokens(given, rows, reading or Reading(room))}
