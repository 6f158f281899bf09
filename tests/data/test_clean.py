"""Cleaning: what is changed, what is only named, and that nothing a reader sees changes."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.data.clean import CHANGES, clean


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        ("plain", "plain", ()),
        ("  both ends\n", "both ends", ("trimmed",)),
        ("e\u0301", "\u00e9", ("normalised",)),
        ("a\u0007b", "a\u0007b", ("control",)),
        ("a\u200bb", "a\u200bb", ("invisible",)),
        ("a\u202eb", "a\u202eb", ("bidi",)),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", ()),
        ("\U0001f469\u200d\U0001f52c", "\U0001f469\u200d\U0001f52c", ()),
        ("a\u0085b", "a\u0085b", ("control",)),
    ],
)
def test_what_is_changed_and_named(text: str, expected: str, found: tuple[str, ...]) -> None:
    cleaned = clean(text)
    assert (cleaned.text, cleaned.found) == (expected, found)
    assert set(found) <= set(CHANGES)


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean(text)
    assert clean(once.text).text == once.text
    assert once.text == unicodedata.normalize("NFC", text).strip()
    assert bool({"trimmed", "normalised"} & set(once.found)) == (once.text != text)
