"""PDFs: read in a process with limits, by columns and pages; each ends as text or as a named problem."""

import zlib
from pathlib import Path

import pytest

from dragoman.core.documents import Document
from dragoman.core.errors import UserError
from dragoman.data.documents.pdf import Bounds, read_pdf
from dragoman.data.documents.read import Unread, read_documents


@pytest.fixture(scope="module")
def found(shared_data: Path) -> dict[str, Document | Unread]:
    """Every public PDF, read."""
    if not (shared_data / "pdf").is_dir():
        pytest.skip("no PDFs are here")
    return {one.source: one for one in read_documents(shared_data / "pdf") if one.source.endswith(".pdf")}


def made(content: bytes, extra: bytes = b"") -> bytes:
    """A PDF of one page with a content stream, packed."""
    packed = zlib.compress(content)
    return (
        b"%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R"
        b"/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
        b"4 0 obj<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream endobj\n"
        b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n%strailer<</Root 1 0 R>>\n%%%%EOF"
        % (len(packed), packed, extra)
    )


def test_every_file_ends_as_text_or_as_a_named_problem(found: dict[str, Document | Unread]) -> None:
    assert len(found) >= 20
    for name, one in found.items():
        if isinstance(one, Unread):
            assert one.problem and one.hint, name
        else:
            assert one.text or "it holds no text" in one.problems, name
    unread = {name: one.problem for name, one in found.items() if isinstance(one, Unread)}
    assert "needs a password" in unread["encrypted_user_password.pdf"]
    assert {"broken_header_only.pdf", "truncated.pdf"} <= set(unread)


def test_two_columns_are_read_one_after_the_other(found: dict[str, Document | Unread]) -> None:
    paper = found["bbq_paper_two_column.pdf"]
    assert isinstance(paper, Document) and paper.pages == 20
    assert {block.page for block in paper.blocks} == set(range(1, 21))
    third = " ".join(paper.text[block.start : block.end] for block in paper.blocks if block.page == 3)
    assert "rather than answers that express uncertainty, often in ways that align with social biases." in third
    assert any(block.kind == "heading" for block in paper.blocks)


def test_a_scan_is_never_silently_empty(found: dict[str, Document | Unread]) -> None:
    mixed = found["multipage_mixed.pdf"]
    assert isinstance(mixed, Document) and mixed.pages == 6
    assert "page 1 holds no text: it is a scan" in mixed.problems
    scan = found["linn_scan_two_column.pdf"]
    assert isinstance(scan, Document) and scan.problems[0] == "page 1 holds no text: it is a scan"


def test_what_people_do_not_see_is_told() -> None:
    content = b"BT /F 12 Tf 50 700 Td (Seen by all.) Tj ET BT 1 1 1 rg /F 12 Tf 50 600 Td (White as snow.) Tj ET"
    content += b" BT 0 g /F 1 Tf 50 500 Td (tiny words here) Tj ET"
    (one,) = read_pdf(made(content), "a.pdf")
    assert "Seen by all." in one.text and "tiny words" not in one.text
    told = " ".join(one.problems)
    assert "white as paper" in told and "too small" in told


@pytest.mark.slow
def test_a_file_that_asks_for_hours_is_stopped() -> None:
    content = b"BT /F 12 Tf 50 700 Td (x) Tj ET\n" * 2_000_000
    with pytest.raises(UserError, match=r"not read within 2 seconds|asks for more than|holds more than") as caught:
        list(read_pdf(made(content), "a.pdf", Bounds(cpu=2, wall=20, characters=10_000_000)))
    assert caught.value.hint


def test_a_file_that_is_no_pdf_is_told_as_that() -> None:
    with pytest.raises(UserError, match="it is no PDF"):
        list(read_pdf(b"<html>", "a.pdf"))
