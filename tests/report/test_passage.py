"""A long text is cut and the cut is counted."""

from dragoman.report.passage import passage


def test_a_short_text_is_whole() -> None:
    assert passage("abc") == {"text": "abc", "rest": "", "left": "", "lost": ""}


def test_a_long_text_can_be_unfolded_and_a_very_long_one_in_part() -> None:
    shown = passage("ab" * 20_000)
    assert len(str(shown["text"])) + len(str(shown["rest"])) == 20_480
    assert shown["left"] == "39,520 more characters"
    assert shown["lost"] == "19,520 more characters are not shown"
