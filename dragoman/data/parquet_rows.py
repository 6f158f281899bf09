"""Reads rows out of Parquet files, a small batch at a time."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from dragoman.core.errors import UserError
from dragoman.data.lines import LINE_LIMIT
from dragoman.data.problems import Place, Problem, Row

__all__ = ["checked", "parquet_rows"]

BATCH = 1024


def checked(place: Place, values: Mapping[str, Any]) -> Row | Problem:
    """The row, unless a text in it holds a character no tokenizer takes: NUL or half of a surrogate pair."""
    for column, value in values.items():
        for text in _texts(value):
            if "\x00" in text:
                return Problem("nul", place, f"a NUL character stands in the column '{column}'")
            if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
                return Problem("surrogate", place, f"half of a surrogate pair stands in the column '{column}'")
    return Row(place, values)


def _texts(value: Any) -> Iterator[str]:
    """A text, or every text inside a list or an object, such as the messages of a dialogue."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def _names(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """What the numbers in a column of lists stand for, by the column, as the `datasets` library notes it in a file."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        lists = {name: one.get("feature") for name, one in features.items() if isinstance(one, dict)}
        return {
            name: [str(label) for label in one["names"]]
            for name, one in lists.items()
            if isinstance(one, dict) and one.get("_type") == "ClassLabel"
        }
    except (KeyError, ValueError, TypeError, AttributeError):  # a note of another kind says nothing of names
        return {}


def _named(values: Mapping[str, Any], names: Mapping[str, list[str]]) -> dict[str, list[Any]]:
    """The lists of numbers that have names, with the names; a number without one stays."""
    return {
        column: [known[one] if isinstance(one, int) and 0 <= one < len(known) else one for one in values[column]]
        for column, known in names.items()
        if isinstance(values.get(column), list)
    }


def parquet_rows(stream: BinaryIO, name: str, max_line: int = LINE_LIMIT) -> Iterator[Row | Problem]:
    """Each row, its number in the place of the line. `max_line` bounds the longest text of a row, in characters."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UserError(f"{name} is Parquet and pyarrow is not installed", 'pip install "dragoman[data]"') from None
    try:
        file = parquet.ParquetFile(stream, pre_buffer=False)
        number, names = 0, _names(file.schema_arrow.metadata)
        for batch in file.iter_batches(batch_size=BATCH):
            for values in batch.to_pylist():
                number += 1
                place = Place(name, number)
                longest = max((len(value) for value in values.values() if isinstance(value, str)), default=0)
                if longest > max_line:
                    yield Problem(
                        "long-line", place, f"a text has {longest:,} characters and the limit is {max_line:,}"
                    )
                else:
                    yield checked(place, {**values, **_named(values, names)})
    except (pyarrow.ArrowException, OSError) as error:
        yield Problem("malformed", Place(name), f"this is no readable Parquet file: {str(error).splitlines()[0]}")
