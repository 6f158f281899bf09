"""Lines become paragraphs, headings and tables; running heads go, and split words are made whole."""

from dragoman.data.documents.layout import Line
from dragoman.data.documents.pages import page_parts, without_running_heads


def line(text: str, row: float, size: float = 10, cells: int = 1, wide: float = 300) -> Line:
    """A line at its row of 12 points."""
    return Line(text, 50, 12 * row, 50 + wide, 12 * row + 10, size, 1, cells)


def test_running_heads_are_dropped_and_told_and_articles_are_not() -> None:
    pages = [
        [line("A Journal", 0), line(f"Article {2 * n}", 1), *(line("abcde"[n - 1] * row, row) for row in range(4, 9)),
         line(f"Page {n} of 9", 60)] for n in range(1, 6)
    ]  # fmt: skip
    kept, told = without_running_heads(pages)
    assert [one.text for one in kept[0]] == ["Article 2", *("a" * row for row in range(4, 9))]
    assert told == [
        "a line on 5 pages was dropped: 'A Journal'",
        "a line on 5 pages was dropped: 'Page 1 of 9'",
    ]


def test_words_split_at_the_end_of_a_line_are_made_whole() -> None:
    page = [
        line("the well-known out-", 1), line("come of a well-", 2), line("known thing, as of", 3), line("Baden-", 4),
        line("Baden.", 5),
    ]  # fmt: skip
    (part,) = page_parts([page])
    assert part.text == "the well-known outcome of a well-known thing, as of Baden-Baden."


def test_headings_paragraphs_and_tables() -> None:
    page = [
        line("A Title", 1, 16), line("1 Introduction", 4, 11.5, wide=90), line("It begins here and", 6),
        line("ends here.", 7, wide=60), line("Another one begins", 8), line("a | b", 11, cells=2),
        line("1 | 2", 12, cells=2),
    ]  # fmt: skip
    assert [(part.kind, part.level, part.text, part.page) for part in page_parts([page])] == [
        ("heading", 1, "A Title", 1),
        ("heading", 2, "1 Introduction", 1),
        ("paragraph", 0, "It begins here and ends here.", 1),
        ("paragraph", 0, "Another one begins", 1),
        ("table", 0, "a | b\n1 | 2", 1),
    ]
