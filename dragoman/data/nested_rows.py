"""Reads the rows of a JSON object that holds them in a list named data; SQuAD's articles become one row a question."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from dragoman.data.json_rows import json_list
from dragoman.data.lines import LINE_LIMIT
from dragoman.data.problems import Place, Problem, Row

__all__ = ["is_nested", "nested_rows"]

SCALAR = r'\s*"[^"\\]*"\s*:\s*(?:"[^"\\]*"|[\d.+-]+|true|false|null)\s*,'
BEFORE = re.compile(rf'\s*\{{(?:{SCALAR})*\s*"data"\s*:\s*')
FIRST = re.compile(r"\[\s*(?:\{|\])")


def is_nested(head: bytes) -> bool:
    """Whether a file begins as an object whose list named data holds objects."""
    text = head.decode("utf-8-sig", errors="ignore")
    found = BEFORE.match(text)
    return bool(found and FIRST.match(text, found.end()))


def nested_rows(stream: BinaryIO, name: str, max_line: int = LINE_LIMIT) -> Iterator[Row | Problem]:
    """Each object of the list, streamed; of an article with paragraphs, each question with its context and title.

    The place of a question is that of its article. `max_line` bounds an article.
    """
    for found in json_list(stream, name, max_line, BEFORE):
        if isinstance(found, Row) and "paragraphs" in found.values:
            yield from _questions(found)
        else:
            yield found


def _questions(article: Row) -> Iterator[Row | Problem]:
    paragraphs = article.values["paragraphs"]
    for paragraph in paragraphs if isinstance(paragraphs, list) else [paragraphs]:
        questions = paragraph.get("qas") if isinstance(paragraph, Mapping) else None
        if not isinstance(questions, list):
            yield _malformed(article.place, "a paragraph without a list of questions named qas")
            continue
        for question in questions:
            if not isinstance(question, Mapping):
                yield _malformed(article.place, "a question that is no object")
                continue
            values: dict[str, Any] = {"context": paragraph.get("context"), **question}
            if isinstance(title := article.values.get("title"), str):
                values["title"] = title
            yield Row(article.place, values)


def _malformed(place: Place, what: str) -> Problem:
    return Problem("malformed", place, f"the article holds {what}")
