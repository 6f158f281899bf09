"""Words with tags: schemes become BIO, numbers get their names, spans become tags, and what does not fit is named."""

from typing import Any

import pytest

from dragoman.core.project import Columns
from dragoman.data.shapes.tag import Tag, tags_of
from dragoman.data.shaping import Wanted
from tests.data.shapes.reading import notes, refused, schema, shaped

ROW = {"tokens": ["Ann", "Lee", "sings"], "tags": ["B-person", "I-person", "O"]}
SPANS = Tag("", "", "text", "entities")


def test_one_tag_a_word() -> None:
    example = shaped(Tag(), ROW)
    assert (example.text, example.answers) == ("Ann Lee sings", ("B-person", "I-person", "O"))
    assert example.meta["words"] == ["Ann", "Lee", "sings"]


@pytest.mark.parametrize(
    ("tags", "made"),
    [
        ("B-a I-a O", "B-a I-a O"),
        ("I-a I-a I-b", "B-a I-a B-b"),
        ("I-a B-a I-a", "B-a B-a I-a"),
        ("B-a E-a S-b", "B-a I-a B-b"),
        ("B-a L-a U-a", "B-a I-a B-a"),
        ("S-a S-a I-a", "B-a B-a B-a"),
        ("NOUN I-a VERB", "NOUN I-a VERB"),
    ],
)
def test_every_scheme_becomes_bio(tags: str, made: str) -> None:
    row = {"tokens": ["x", "y", "z"], "tags": tags.split()}
    assert " ".join(shaped(Tag(), row).answers) == made
    assert ("bio-scheme" in notes(Tag(), row)) == (tags != made)


def test_numbers_are_named_in_order() -> None:
    shape = Tag(labels=("O", "B-a", "I-a"))
    assert shaped(shape, {"tokens": ["x", "y"], "tags": [1, 2]}).answers == ("B-a", "I-a")
    assert refused(shape, {"tokens": ["x"], "tags": [3]}) == "label-outside-scope"
    assert refused(Tag(), {"tokens": ["x"], "tags": [3]}) == "unnamed-tag"


def test_the_scope_may_name_kinds_of_entity() -> None:
    assert shaped(Tag(labels=("person",)), ROW).answers[0] == "B-person"
    assert refused(Tag(labels=("place",)), ROW) == "label-outside-scope"


def test_a_blank_word_goes_with_its_o() -> None:
    row = {"tokens": ["x", " ", "y"], "tags": ["B-a", "O", "O"]}
    assert (shaped(Tag(), row).text, notes(Tag(), row)) == ("x y", ("trimmed", "blank-word"))


def test_spans_become_tags() -> None:
    text = "Ann Lee-Low met her in New York."
    spans = [{"start": 23, "end": 31, "label": "place"}, {"start": 0, "end": 11, "label": "person"}]
    example = shaped(SPANS, {"text": text, "entities": spans})
    assert example.text == "Ann Lee - Low met her in New York ."
    tags = "B-person I-person I-person I-person O O O B-place I-place O"
    assert " ".join(example.answers) == tags
    assert shaped(SPANS, {"text": text, "entities": [[0, 3, "p"]]}).answers[:2] == ("B-p", "O")
    assert set(shaped(SPANS, {"text": text, "entities": []}).answers) == {"O"}


def test_a_word_is_cut_where_a_span_ends_inside_it() -> None:
    row = {"text": "Bonner हिन्दी", "entities": [[0, 4, "place"]]}
    example = shaped(SPANS, row)
    assert (example.text, example.answers) == ("Bonn er हिन्दी", ("B-place", "O", "O"))
    assert notes(SPANS, row) == ("span-inside-word",)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"tokens": ["a"]}, "missing-column"),
        ({"tokens": "a", "tags": ["O"]}, "wrong-type"),
        ({"tokens": ["a", "b"], "tags": ["O"]}, "tag-count"),
        ({"tokens": [1], "tags": ["O"]}, "wrong-type"),
        ({"tokens": ["a"], "tags": [None]}, "wrong-type"),
        ({"tokens": [" "], "tags": ["B-a"]}, "empty-word"),
        ({"tokens": [], "tags": []}, "empty-text"),
    ],
)
def test_what_is_refused(values: dict[str, Any], name: str) -> None:
    assert refused(Tag(), values) == name


@pytest.mark.parametrize(
    ("spans", "name"),
    [
        ([[0, 9, "a"]], "span-outside"),
        ([[2, 2, "a"]], "span-outside"),
        ([[-1, 2, "a"]], "span-outside"),
        ([[0, 3, "a"], [2, 4, "b"]], "span-overlap"),
        ([[0, "3", "a"]], "wrong-type"),
        ([5], "wrong-type"),
    ],
)
def test_spans_that_do_not_fit(spans: list[Any], name: str) -> None:
    assert refused(SPANS, {"text": "a text", "entities": spans}) == name


def test_the_columns_are_found() -> None:
    assert Tag.fits(schema(ROW)) == 0.97
    assert Tag.choose(schema({"words": ["a"], "ner_tags": [0]}), Wanted())[0] == Tag("words", "ner_tags")
    doccano = schema({"text": "Ann", "label": []}, {"text": "Ann", "label": [[0, 3, "person"]]})
    assert Tag.fits(doccano) == 0.95
    assert Tag.choose(doccano, Wanted())[0].used() == Columns(text="text", label="label")
    assert Tag.fits(schema({"text": "Ann", "label": ["person"]})) == 0


@pytest.mark.parametrize(
    ("named", "held", "made"),
    [
        ("person place", "B-person I-person O", "O B-person I-person B-place I-place"),
        ("O B-person I-person", "B-person O", "O B-person I-person"),
        ("person", "B-person B-work O", "O B-person I-person B-work"),
        ("VERB NOUN", "NOUN X", "VERB NOUN X"),
    ],
)
def test_kinds_of_a_scope_become_tags(named: str, held: str, made: str) -> None:
    assert " ".join(tags_of(named.split(), held.split())) == made


@pytest.mark.parametrize(
    ("tags", "made"),
    [
        ("B-a O", "B-a I-a O"),
        ("I-a I-a", "B-a I-a I-a"),
        ("S-a I-a", "B-a I-a B-a"),
        ("O B-a", "O O B-a"),
        ("NOUN VERB", "NOUN NOUN VERB"),
    ],
)
def test_a_blank_inside_a_word_makes_two(tags: str, made: str) -> None:
    row = {"tokens": ["New\u00a0York", "is"], "tags": tags.split()}
    example = shaped(Tag(), row)
    assert (example.text, " ".join(example.answers)) == ("New York is", made)
    assert example.meta["words"] == ["New", "York", "is"]
    assert "blank-in-word" in notes(Tag(), row)
