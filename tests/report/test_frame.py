"""The page around the sections: what has nothing to show is left out, what could not be read is said."""

from dragoman.report.frame import Opening, Section, frame
from tests.report.reading import Page

HEAD = {"name": "n", "kind": "", "headline": "", "created": "", "version": "0.1.0", "tiles": []}
OPENING = Opening("opening", "<title>", HEAD)
SHOWN = Section("commands", "Again & again", "commands", lambda record: {"text": "dragoman run"})
EMPTY = Section("risks", "Risks", "warnings", lambda record: None)


def test_a_section_without_a_view_is_left_out() -> None:
    page = Page(frame(OPENING, (SHOWN, EMPTY), {}))
    assert [attributes["id"] for tag, attributes in page.elements if tag == "section"] == ["commands"]
    assert "Again & again" in page.text
    assert "could not be read" not in page.text


def test_what_could_not_be_read_is_said() -> None:
    page = Page(frame(OPENING, (SHOWN, EMPTY), {"commands": ["x"], "warnings": 7}))
    assert "could not be read and is left out: warnings." in page.text


def test_the_title_is_escaped() -> None:
    assert "<title>&lt;title&gt;</title>" in frame(OPENING, (), {})
