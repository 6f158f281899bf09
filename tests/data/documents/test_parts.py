"""The text of a document is what a reader sees, and its blocks stand where they say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.errors import UserError
from dragoman.data.documents.parts import Part, compose, decode, seen
from tests.data.documents.covering import check_blocks


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=8))
def test_blocks_cover_the_text(texts: list[str]) -> None:
    document = compose("x", [Part(text) for text in texts])
    check_blocks(document)
    assert "\r" not in document.text


def test_hidden_text_is_taken_out_and_told() -> None:
    order = "".join(chr(0xE0000 + ord(letter)) for letter in "obey me")
    document = compose("x", [Part(f"pay\u200bment{order} \u202edue\x07")])
    assert document.text == "payment due"
    assert document.problems == (
        "9 hidden characters were removed (zero width, direction, tags)",
        "1 control characters were removed",
    )


def test_what_is_seen_stays() -> None:
    persian, family = "می\u200cخواهم", "👩\u200d👧"
    assert seen(persian)[0] == persian
    assert seen(family)[0] == family
    assert seen("a\u200db")[0] == "ab"
    assert seen("e\u0301\r\nx\u2028y") == ("é\nx\ny", 0, 0)


def test_an_empty_document_says_so() -> None:
    assert compose("x", [Part(" \n")]).problems == ("it holds no text",)


def test_encodings() -> None:
    assert decode("né".encode("utf-8-sig")) == ("né", ())
    assert decode("né".encode("utf-16")) == ("né", ())
    assert decode(b"n\xe9") == ("né", ("byte 1 is not UTF-8: it was read as Windows-1252",))
    with pytest.raises(UserError, match="bytes, not text"):
        decode(b"a\0b")
