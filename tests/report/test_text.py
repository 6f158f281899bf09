"""Any text can be looked at: hidden characters are named, and what is too long is cut and counted."""

from hypothesis import given, settings
from hypothesis import strategies as some

from dragoman.report.text import advance, cut, fitted, visible


@settings(derandomize=True, deadline=None)
@given(some.text())
def test_what_is_visible_can_be_written_and_stays_visible(text: str) -> None:
    shown = visible(text + "\ud800\x1b\u2066")
    shown.encode("utf-8")
    assert visible(shown) == shown
    assert shown.endswith("[U+D800][U+001B][U+2066]")


def test_plain_text_stays_as_it_is() -> None:
    for text in ("a\tb\nc", "日本語", "שלום", "👩🏽‍💻", "é"):
        assert visible(text) == text
    assert visible("a\r\nb\rc") == "a\nb\nc"


def test_cut() -> None:
    assert cut("abc", 3) == ("abc", 0)
    assert cut("abcde", 3) == ("abc", 2)


def test_a_text_is_shortened_to_its_room() -> None:
    assert fitted("short", 100, 13) == "short"
    for width in (20, 60, 120):
        shown = fitted("Networking and Interprocess Communication", width, 13)
        assert shown.endswith("…")
        assert advance(shown, 13) <= width + 8
    assert advance("日本", 10) > advance("ab", 10)
    assert advance("e\u0301", 10) == advance("e", 10)
