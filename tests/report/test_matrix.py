"""The confusion matrix: readable labels, no count lost, and no more labels than fit."""

from xml.etree import ElementTree

import pytest

from dragoman.report.matrix import Confusion, errors, fold, heat_map


def square(size: int, name: str = "label") -> Confusion:
    counts = tuple(tuple(10 * (down == across) + (down + across) % 3 for across in range(size)) for down in range(size))
    return Confusion(tuple(f"{name} {place}" for place in range(size)), counts)


def test_folding_loses_no_count_and_keeps_the_worst() -> None:
    whole = square(60)
    shown = fold(whole)
    assert len(shown.labels) == len(shown.counts) == 25
    assert shown.folded == 36
    assert shown.labels[-1] == "36 other labels"
    assert sum(map(sum, shown.counts)) == sum(map(sum, whole.counts))
    assert fold(square(25)) == square(25)


@pytest.mark.parametrize("size", ["wide", "narrow"])
@pytest.mark.parametrize("labels", [1, 2, 7, 20, 25])
def test_labels_can_be_read(labels: int, size: str) -> None:
    """Every text has at least 12 px at full width, stays inside, and no label is turned."""
    drawing = ElementTree.fromstring(heat_map(square(labels, "Internet Protocols and Support"), size))
    width, height = (float(part) for part in drawing.get("viewBox", "").split()[2:])
    texts = list(drawing.iter("text"))
    assert all(0 <= float(text.get("x", "")) <= width and 0 <= float(text.get("y", "")) <= height for text in texts)
    assert not [one for one in drawing.iter() if one.get("transform")]
    assert len([text for text in texts if text.get("class") == "label"]) == labels
    if labels <= 20 and size == "wide":
        assert width <= 881  # the width of the page: nothing is scaled down
        assert all("…" not in (text.text or "") for text in texts)


def test_a_cell_tells_its_figures() -> None:
    drawn = heat_map(Confusion(("a<", "b"), ((3, 1), (0, 0))))
    assert "expected a&lt;, answered b: 1 of 4 (25.0 %)" in drawn
    assert "expected b, answered a&lt;: 0 of 0 (0.0 %)" in drawn
    assert "3 of 4 rows lie on the diagonal." in drawn


def test_colour_follows_the_share_of_the_row() -> None:
    drawing = ElementTree.fromstring(heat_map(Confusion(("a", "b"), ((100, 0), (1, 3)))))
    strengths = [float(box.get("fill-opacity", "0")) for box in drawing.iter("rect") if box.get("fill-opacity")]
    assert strengths[0] == 0.7
    assert 0.08 < strengths[1] < strengths[2] < 0.7


def test_the_most_frequent_errors() -> None:
    found = errors(Confusion(("a", "b", "c"), ((9, 2, 0), (5, 9, 1), (0, 0, 9))))
    assert found == [(5, "b", "a"), (2, "a", "b"), (1, "b", "c")]


def test_a_large_count_fits_its_cell() -> None:
    many = Confusion(tuple(map(str, range(25))), tuple(tuple(123_456 for _ in range(25)) for _ in range(25)))
    assert ">123k<" in heat_map(many)
