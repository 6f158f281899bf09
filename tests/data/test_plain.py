"""Cleaning changes what a reader does not see, and says what it changed."""

from hypothesis import given
from hypothesis import strategies as st

from dragoman.data.plain import CHANGES, REMOVED, plain


def test_each_change_is_named() -> None:
    assert plain("a\r\nb\rc") == ("a\nb\nc", ("line-ends",))
    assert plain("e\u0301") == ("é", ("composed",))
    assert plain("a\x07b\ufeff\tc") == ("ab\tc", ("control",))
    assert plain("a\x07b", control=False) == ("a\x07b", ())
    assert plain("  left as it is \n\n") == ("  left as it is \n\n", ())


@given(st.text())
def test_a_second_time_changes_nothing(text: str) -> None:
    once, found = plain(text)
    assert set(found) <= set(CHANGES)
    assert plain(once)[0] == once
    assert not REMOVED.search(once)
