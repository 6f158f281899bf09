"""Writes examples as JSON lines and reads them back exactly; training sets and test sets are one format."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message

__all__ = ["read_examples", "write_examples"]


def write_examples(path: Path, examples: Iterable[Example]) -> int:
    """Write one JSON line an example and bring it to the disk; the number written.

    The bytes depend on the examples alone. Raises ValueError on a meta that JSON cannot hold exactly (NaN).
    """
    written = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for example in examples:
            file.write(json.dumps(_plain(example), ensure_ascii=False, allow_nan=False) + "\n")
            written += 1
        file.flush()
        os.fsync(file.fileno())
    return written


def read_examples(path: Path) -> list[Example]:
    """The examples of a file that `write_examples` wrote. Raises UserError with the line where it was not."""
    return list(_read(path))


def _read(path: Path) -> Iterator[Example]:
    try:
        file = path.open(encoding="utf-8", newline="\n")
    except OSError as error:
        hint = "dragoman prepare writes it"
        raise UserError(f"the prepared data {path} cannot be read: {error.strerror}", hint) from error
    with file:
        for number, line in enumerate(file, start=1):
            try:
                yield _example(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                hint = "dragoman prepare writes the file anew"
                raise UserError(f"{path}:{number} is not an example: {error}", hint) from error


def _plain(example: Example) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "prompt": [{"role": message.role, "content": message.content} for message in example.prompt],
        "answers": list(example.answers),
    }
    if example.rejected:
        plain["rejected"] = example.rejected
    if example.meta:
        plain["meta"] = dict(example.meta)
    return plain


def _example(plain: Mapping[str, Any]) -> Example:
    return Example(
        prompt=tuple(Message(message["role"], message["content"]) for message in plain["prompt"]),
        answers=tuple(plain["answers"]),
        rejected=plain.get("rejected", ""),
        meta=plain.get("meta", {}),
    )
