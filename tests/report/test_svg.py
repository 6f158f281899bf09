"""A drawing is well-formed XML whatever its words hold, and its numbers are short."""

from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as some

from dragoman.report.svg import Drawing, Sheet, element


@settings(derandomize=True, deadline=None)
@given(some.text(), some.text())
def test_any_words_make_a_well_formed_drawing(one: str, other: str) -> None:
    drawing, inner = Drawing(), Drawing()
    inner.dot(1, 2, 3, other)
    drawing.text(1, 2, one, other, "end")
    drawing.group(other, inner)
    found = ElementTree.fromstring(drawing.markup(Sheet("name", 10, 20, one, other)))
    assert found.get("viewBox") == "0 0 10 20"
    assert found.get("aria-labelledby") == "name-title name-desc"


def test_numbers_are_short() -> None:
    assert element("a", {"x": 1 / 3, "y": 2.0, "z": -0.0001, "none": ""}) == '<a x="0.33" y="2" z="0"/>'


def test_sizes_are_never_below_zero() -> None:
    drawing = Drawing()
    drawing.box((0, 0), (-3, 2), "bar")
    assert 'width="0"' in drawing.parts[0]
