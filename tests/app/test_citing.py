"""After the check, an answer cites no passage that is not there, and quotes nothing that does not stand in one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.app.citing import QUOTES, checked, cited, declines, verbatim
from dragoman.app.passages import BRACKETED, Citation
from tests.app.shelf import passage

PASSAGES = (
    passage("The tower was built\nin 1889.[4] It is 330 m high."),
    passage("The bridge opened in 1901.", 2, "b.md"),
)


@pytest.mark.parametrize(
    ("written", "expected", "problems"),
    [
        ("It is 330 m high [1].", "It is 330 m high [1].", 0),
        ("High [1, 7]. Old [9].", "High [1]. Old.", 2),
        ("Both [1-2], none [1-999999999999].", "Both [1][2], none [1].", 1),
        ('It "was built in 1889" [1].', 'It "was built in 1889" [1].', 0),
        ('It "was built in 1890" [1].', "It was built in 1890 [1].", 1),
        ('It "opened in 1901" [1].', 'It "opened in 1901" [2].', 1),
        ('As "1889.[4] It" says [1].', 'As "1889.(4) It" says [1].', 0),
        ('"in 1889.(4)" [1]', '"in 1889.(4)" [1]', 0),
        ("\N{LEFT DOUBLE QUOTATION MARK}gone\N{RIGHT DOUBLE QUOTATION MARK} \u30102\u3011", "gone [2]", 1),
        ("no mark at all", "no mark at all", 0),
        ('"The bridge" and "the moon" [2]', '"The bridge" and the moon [2]', 1),
        ("", "", 0),
    ],
)
def test_an_answer_is_put_right(written: str, expected: str, problems: int) -> None:
    found = checked(written, PASSAGES)
    assert found.text == expected
    assert len(found.problems) == problems
    again = checked(found.text, PASSAGES)
    assert (again.text, again.problems) == (found.text, ())


def test_what_is_cited_is_told_by_its_place() -> None:
    found = checked('It "was built in 1889" [1] and "opened in 1901" [2], both old [1][2].', PASSAGES)
    assert found.citations == (Citation(1, 10, 27), Citation(2, 11, 25))
    assert PASSAGES[0].chunk.text[10:27] == "was built\nin 1889"
    assert (found.marks, found.wrong) == (6, 0)
    assert checked("so [2]", PASSAGES).citations == (Citation(2),)
    assert checked('"gone" [8]', PASSAGES).wrong == 2


def test_numbers_in_brackets() -> None:
    assert cited("1, 3-4;2") == [1, 3, 4, 2]
    assert cited("5-2") == [5, 2]
    assert cited("1-400") == [1, 400]


@pytest.mark.parametrize(
    "text", ["Not in the documents.", "**not in the documents**", "It is not in the documents, sorry"]
)
def test_a_refusal_is_read(text: str) -> None:
    assert declines(text)
    assert not declines("The tower is not in the documents' index but on page 3")


SPOKEN = st.lists(
    st.sampled_from(
        (
            *(
                '"',
                "\N{LEFT DOUBLE QUOTATION MARK}",
                "\N{RIGHT DOUBLE QUOTATION MARK}",
                "[1]",
                "[3]",
                "[2, 5]",
                "[",
                "]",
            ),
            *("The tower", "in 1889.", "was built", "opened", "1901", "[4]", "(4)", " ", "\n"),
            *("\u3010", "\u3011", "\u00ab", "\u00bb"),
        )
    ),
    max_size=14,
)


@settings(max_examples=500, deadline=None)
@given(SPOKEN)
def test_no_citation_that_is_not_in_the_source(pieces: list[str]) -> None:
    found = checked(" ".join(pieces), PASSAGES)
    assert all(number in (1, 2) for mark in BRACKETED.findall(found.text) for number in cited(mark))
    for quote in QUOTES.finditer(found.text):
        inner = next(group for group in quote.groups() if group is not None)
        assert not inner.strip() or BRACKETED.search(inner) or any(verbatim(inner, one.chunk.text) for one in PASSAGES)
    for citation in found.citations:
        assert 0 <= citation.start <= citation.end <= len(PASSAGES[citation.number - 1].chunk.text)
