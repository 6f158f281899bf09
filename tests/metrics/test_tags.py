"""From tags to entities, broken rows of tags included."""

import pytest

from dragoman.core.types import Answer
from dragoman.metrics._tags import entities, in_scheme, tags_of


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-PER I-PER O B-LOC", {("PER", 0, 1), ("LOC", 3, 3)}),
        ("O I-PER I-PER", {("PER", 1, 2)}),
        ("B-PER I-LOC", {("PER", 0, 0), ("LOC", 1, 1)}),
        ("B-PER B-PER", {("PER", 0, 0), ("PER", 1, 1)}),
        ("B-PER E-PER I-PER", {("PER", 0, 1), ("PER", 2, 2)}),
        ("S-PER I-PER", {("PER", 0, 0), ("PER", 1, 1)}),
        ("B I O", {("_", 0, 1)}),
        ("B-first-name I-first-name", {("first-name", 0, 1)}),
        ("nonsense PER O", set()),
        ("", set()),
    ],
)
def test_entities(tags: str, expected: set[tuple[str, int, int]]) -> None:
    assert entities(tags.split()) == expected


def test_an_answer_is_made_as_long_as_the_row() -> None:
    assert tags_of(Answer("", ("B-PER",)), 3) == ("B-PER", "O", "O")
    assert tags_of(Answer("B-PER I-PER O O"), 2) == ("B-PER", "I-PER")


def test_what_is_an_end_of_an_entity() -> None:
    tags = ("B-PER", "S-LOC", "I", "O", "NOUN", "3", "BE-X", "-")
    assert [tag for tag in tags if in_scheme(tag)] == ["B-PER", "S-LOC", "I"]
