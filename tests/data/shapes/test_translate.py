"""Sentences in two languages: which columns they are, and in which direction."""

from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.core.project import Columns
from dragoman.data.shapes.translate import Translate
from dragoman.data.shaping import Wanted
from tests.data.shapes.reading import refused, schema, shaped

ROW = {"de": "Ein Hund.", "en": "A dog.", "fr": "Un chien.", "id": "x"}


def test_english_comes_first_and_the_rest_is_said() -> None:
    shape, said = Translate.choose(schema(ROW), Wanted())
    assert shape == Translate("en", "de", id="id")
    assert said[0] == "from column 'en' to column 'de'; it could also be 'fr': data.columns.label=fr"
    example = shaped(shape, ROW)
    assert (example.text, example.answers, example.meta["id"]) == ("A dog.", ("Ein Hund.",), "x")


def test_the_columns_say_the_direction() -> None:
    shape, said = Translate.choose(schema(ROW), Wanted(Columns(text="fr", label="en")))
    assert (shape.source, shape.target) == ("fr", "en")
    assert said == ["id = column 'id'"]
    assert Translate.choose(schema(ROW), Wanted(Columns(label="en")))[0].source == "de"


def test_an_object_that_holds_both() -> None:
    row = {"translation": {"en": "A dog.", "de": "Ein Hund."}}
    shape, _ = Translate.choose(schema(row), Wanted())
    assert shape == Translate("en", "de", "translation")
    assert shaped(shape, row).answers == ("Ein Hund.",)
    assert refused(shape, {"translation": "A dog."}) == "wrong-type"
    assert refused(shape, {"translation": {"en": "A dog."}}) == "missing-column"


@pytest.mark.parametrize(
    ("more", "name"), [({"en": " "}, "empty-text"), ({"de": ""}, "empty-answer"), ({"de": None}, "missing-value")]
)
def test_what_is_refused(more: dict[str, Any], name: str) -> None:
    assert refused(Translate(), {**ROW, **more}) == name


def test_what_is_no_language_is_none() -> None:
    assert Translate.fits(schema({"english": "a", "German": "b"})) == 0.9
    assert Translate.fits(schema({"en_XX": "a", "de-DE": "b"})) == 0.9
    assert Translate.fits(schema({"text": "a", "no": 1, "id": "b"})) == 0
    with pytest.raises(UserError, match="two columns named by languages"):
        Translate.choose(schema({"en": "a"}), Wanted())
    with pytest.raises(UserError, match="no row has the language 'it'"):
        Translate.choose(schema(ROW), Wanted(Columns(label="it")))
