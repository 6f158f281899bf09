"""Reads tables and JSON into documents: a table is one document with a line of names and values for each row."""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from dragoman.core.documents import Document, Value
from dragoman.core.errors import UserError
from dragoman.data.csv_rows import csv_rows
from dragoman.data.documents.parts import Part, compose, decode, seen
from dragoman.data.json_rows import json_lines, json_list
from dragoman.data.problems import Problem, Row

__all__ = ["TEXTS", "TITLES", "read_json", "read_json_lines", "read_table"]

TEXTS = ("text", "content", "body", "contents", "passage", "document", "context", "page_content")
"columns that hold the text of a document, the first that is there"
TITLES = ("title", "name", "heading")
NAMES = ("id", "_id", "source", "url", "path")
SHOWN = 5  # rows that are no good which are told one by one


def read_table(data: bytes, source: str) -> Iterator[Document]:
    """A CSV or TSV file: one document, one block a row, `name: value` for each cell that holds something."""
    text, told = decode(data)
    problems = list(told)
    parts = []
    bad: list[str] = []
    for row in csv_rows(io.BufferedReader(io.BytesIO(text.encode("utf-8", "replace"))), source):
        if isinstance(row, Problem):
            bad += [f"line {row.place.line}: {row.reason}"] if row.refused else []
            continue
        cells = [(name, " ".join(str(value).split())) for name, value in row.values.items()]
        line = "; ".join(f"{name}: {value}" for name, value in cells if value)
        parts.append(Part(line, "table", glue="\n"))
    problems += bad[:SHOWN] + ([f"and {len(bad) - SHOWN} more rows could not be read"] if len(bad) > SHOWN else [])
    yield compose(source, parts, problems=problems, meta={"rows": len(parts)})


def read_json_lines(data: bytes, source: str) -> Iterator[Document | Problem]:
    """Each row a document of its own: its text, its title, and its other plain values as metadata."""
    text, _ = decode(data)
    yield from _documents(json_lines(io.BytesIO(text.encode("utf-8", "replace")), source), source)


def read_json(data: bytes, source: str) -> Iterator[Document | Problem]:
    """A list of objects with a text each: a document each. Any other JSON: one document, a line for each value."""
    text, problems = decode(data)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"it is no JSON: {str(error) or 'nested too deep'}", "mend it, or leave it out") from None
    if isinstance(value, list) and value and all(isinstance(one, dict) and _text_of(one) for one in value):
        yield from _documents(json_list(io.BytesIO(text.encode("utf-8", "replace")), source), source)
        return
    parts = [Part(line, "table", glue="\n") for line in _flat(value)]
    yield compose(source, parts, problems=problems)


def _documents(rows: Iterator[Row | Problem], source: str) -> Iterator[Document | Problem]:
    taken: set[str] = set()
    for row in rows:
        if isinstance(row, Problem):
            if row.refused:
                yield row
            continue
        column = _text_of(row.values)
        if not column:
            reason = f"no column holds a text: none of {', '.join(TEXTS)}"
            yield Problem("no-text", row.place, reason, "name the column of the text `text`")
            continue
        title = next((name for name in TITLES if isinstance(row.values.get(name), str)), "")
        named = next((str(row.values[name]) for name in NAMES if isinstance(row.values.get(name), str | int)), "")
        name = seen(named)[0].strip().replace("\n", " ")[:200]
        if not name or name in taken:
            name = str(row.place.line)
        taken.add(name)
        rest: dict[str, Value] = {
            key: value
            for key, value in row.values.items()
            if isinstance(value, str | int | float | bool) and key not in (column, title)
        }
        parts = [Part(piece) for piece in str(row.values[column]).split("\n\n")]
        yield compose(f"{source}#{name}", parts, title=str(row.values.get(title, "")), meta=rest)


def _text_of(values: Mapping[str, Any]) -> str:
    return next((name for name in TEXTS if isinstance(values.get(name), str)), "")


def _flat(value: Any) -> Iterator[str]:
    """A line `a.b.0: value` for each value, in order."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        name, one = waiting.pop()
        if isinstance(one, dict):
            waiting += [(f"{name}.{key}" if name else str(key), inner) for key, inner in reversed(one.items())]
        elif isinstance(one, list):
            inner_names = [(f"{name}.{place}" if name else str(place), inner) for place, inner in enumerate(one)]
            waiting += reversed(inner_names)
        elif one is not None and one != "":
            yield f"{name}: {one}" if name else str(one)
