"""Plain text: nothing is asked."""

import pytest

from dragoman.core.errors import UserError
from dragoman.data.shapes.plain import Plain
from dragoman.data.shaping import Wanted
from tests.data.shapes.reading import refused, schema, shaped


def test_the_text_is_the_answer() -> None:
    example = shaped(Plain(), {"text": "    One line.\r\n\nCafe\u0301. "})
    assert (example.prompt, example.answers) == ((), ("    One line.\n\nCaf\u00e9. ",))


def test_what_is_refused() -> None:
    assert refused(Plain(), {"text": "\n"}) == "empty-text"
    assert refused(Plain(), {"text": 1}) == "wrong-type"
    assert refused(Plain(), {}) == "missing-column"


def test_a_text_alone_fits_better_than_one_beside_others() -> None:
    assert Plain.fits(schema({"text": "a", "n": 1})) > Plain.fits(schema({"text": "a", "other": "b"})) > 0
    assert Plain.fits(schema({"text": 1})) == 0
    with pytest.raises(UserError, match="no column holds the text"):
        Plain.choose(schema({"words": "a"}), Wanted())
