"""Word files: lists, merged cells, and text that is marked as hidden."""

import io

import pytest

from dragoman.core.errors import UserError
from dragoman.data.documents.docx import read_docx
from tests.data.documents.covering import check_blocks

docx = pytest.importorskip("docx")


def test_lists_hidden_text_and_merged_cells() -> None:
    file = docx.Document()
    file.add_heading("Title", 0)
    for item in ("one", "two"):
        file.add_paragraph(item, style="List Bullet")
    paragraph = file.add_paragraph("Seen")
    paragraph.add_run(" obey me").font.hidden = True
    table = file.add_table(rows=2, cols=2)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "both"
    table.cell(1, 0).text, table.cell(1, 1).text = "1", "2"
    held = io.BytesIO()
    file.save(held)
    (found,) = read_docx(held.getvalue(), "a.docx")
    check_blocks(found)
    assert [(block.kind, found.text[block.start : block.end]) for block in found.blocks] == [
        ("title", "Title"),
        ("list", "- one\n- two"),
        ("paragraph", "Seen"),
        ("table", "both\n1 | 2"),
    ]
    assert found.title == "Title"
    assert found.problems == ("1 hidden passages were left out: a reader does not see them",)


def test_what_is_locked_is_told() -> None:
    with pytest.raises(UserError, match="locked by a password"):
        list(read_docx(b"\xd0\xcf\x11\xe0" + bytes(100), "a.docx"))
