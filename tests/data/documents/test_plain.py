"""Plain text, reStructuredText and Python sources become parts."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.data.documents.plain import read_python, read_rst, read_txt, rst_parts
from tests.data.documents.covering import check_blocks


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab- 1.\n\t\f", max_size=80))
def test_all_of_a_text_is_kept(text: str) -> None:
    (document,) = read_txt(text.encode(), "x")
    check_blocks(document)
    assert document.text.split() == text.split()


def test_pages_and_lists() -> None:
    (document,) = read_txt(b"one\n\n- a\n- b\n\ftwo", "x.txt")
    assert [(block.kind, block.page) for block in document.blocks] == [("paragraph", 1), ("list", 1), ("paragraph", 2)]
    assert document.pages == 2


def test_rst() -> None:
    text = "Title\n=====\n\nText::\n\n   code\n\n   more\n\nBelow\n-----\n* item\n"
    assert [(part.kind, part.level, part.text) for part in rst_parts(text)] == [
        ("heading", 1, "Title"),
        ("paragraph", 0, "Text::"),
        ("code", 0, "code"),
        ("code", 0, "more"),
        ("heading", 2, "Below"),
        ("list", 0, "* item"),
    ]
    assert next(read_rst(text.encode(), "x")).title == "Title"


def test_python() -> None:
    source = '"""What it is for."""\n\nimport os\n\n'
    source += "# why\n@mark\ndef one():\n    return 1\n\nclass Two:\n    x = 1\n\nend = 2\n"
    (document,) = read_python(source.encode(), "x.py")
    check_blocks(document)
    texts = [document.text[block.start : block.end] for block in document.blocks]
    assert texts == [
        "What it is for.",
        "import os",
        "# why\n@mark\ndef one():\n    return 1",
        "class Two:\n    x = 1",
        "end = 2",
    ]
    (broken,) = read_python(b"def (:\n", "x.py")
    assert broken.blocks[0].kind == "code"
    assert "no Python" in broken.problems[0]
