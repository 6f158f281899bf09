"""Paragraphs together are the text, and a text is cut where it may be."""

from hypothesis import given
from hypothesis import strategies as st

from dragoman.data.paragraphs import border, paragraphs

TEXTS = st.text(alphabet="ab \n\t", max_size=60)


@given(TEXTS, st.integers(0, 9))
def test_paragraphs_are_the_text(text: str, longest: int) -> None:
    found = paragraphs(text, longest)
    assert "".join(found) == text
    assert all(found)
    if text.strip() and not longest:
        assert all(piece.strip() for piece in found)
    if longest:
        assert all(len(piece) <= longest for piece in found)


def test_blank_lines_end_a_paragraph() -> None:
    assert paragraphs("\n\na\nb\n \t\nc\n\n\n  d") == ["\n\na\nb\n \t\n", "c\n\n\n", "  d"]
    assert paragraphs("one two\nthree\n", 9) == ["one two\n", "three\n"]
    assert paragraphs("") == []


@given(TEXTS.filter(lambda text: len(text) > 1), st.integers(0, 60))
def test_both_sides_of_a_border_hold_something(text: str, middle: int) -> None:
    place = border(text, min(middle, len(text)))
    assert text[:place] and text[place:]


def test_a_border_is_the_nearest_of_the_best_kind() -> None:
    text = "aa bb\ncc dd\n\nee ff\ngg hh"
    assert border(text, 12) == text.index("ee")
    assert border("aa bb\ncc dd", 6) == 6
    assert border("aaaa bbbb", 4) == 5
    assert border("aaaabbbb", 5) == 5
    assert border("a" + "b" * 50 + "\n\n" + "c" * 9, 20) == 20  # the blank line is no share of the text
