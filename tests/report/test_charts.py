"""The ladder chart: every rung where it belongs, its name free of the others."""

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest

from dragoman.report.axes import NARROW, WIDE, Line, Size
from dragoman.report.charts import Point, ladder
from dragoman.report.record import Figure
from dragoman.report.text import advance

TARGET = Line("f1", 0.6)


def points(*seconds: float) -> list[Point]:
    return [
        Point(
            f"rung_{place}",
            cost,
            Figure(0.4 + 0.06 * place, 0.37 + 0.06 * place, 0.43 + 0.06 * place),
            "met",
            place == 2,
        )
        for place, cost in enumerate(seconds)
    ]


def names(drawing: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    """The boxes of the names of the rungs."""
    boxes = []
    for text in drawing.iter("text"):
        if text.get("class", "").startswith("name"):
            x, y = float(text.get("x", "")), float(text.get("y", ""))
            boxes.append((x, y - 10, x + advance(text.text or "", 12.0), y + 2))
    return boxes


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=lambda size: size.name)
@pytest.mark.parametrize(
    "seconds", [(1, 10, 100, 500, 900), (5, 5.1, 5.2, 5.3), (0, 0, 0), (0, 3600, 86400), (1e-9, 1.0, 1e6), (2.0,)]
)
def test_names_are_apart_and_inside(seconds: tuple[float, ...], size: Size) -> None:
    drawing = ElementTree.fromstring(ladder(points(*seconds), "f1", TARGET, size))
    boxes = names(drawing)
    assert len(boxes) == len(seconds)
    for box in boxes:
        assert box[0] >= 0
        assert box[2] <= size.width + 1
        assert 0 <= box[1] <= box[3] <= size.height
    for one, other in combinations(boxes, 2):
        assert one[2] <= other[0] or one[0] >= other[2] or one[3] <= other[1] or one[1] >= other[3]


def test_dearer_is_further_right_and_better_is_higher() -> None:
    drawing = ElementTree.fromstring(ladder(points(1, 10, 100, 1000), "f1", TARGET, WIDE))
    dots = [
        (float(dot.get("cx", "")), float(dot.get("cy", "")))
        for dot in drawing.iter("circle")
        if dot.get("class") != "ring"
    ]
    assert [x for x, _ in dots] == sorted(x for x, _ in dots)
    assert [y for _, y in dots] == sorted((y for _, y in dots), reverse=True)
    steps = [after - before for before, after in zip([x for x, _ in dots], [x for x, _ in dots][1:], strict=False)]
    assert steps[0] == pytest.approx(steps[1], abs=0.1)  # ten times as dear is one step on a log axis


def test_outcomes_differ_in_form_and_the_chosen_one_is_ringed() -> None:
    one = Figure(0.5, 0.4, 0.6)
    three = [Point("a", 1, one, "missed"), Point("b", 10, one, "unproven"), Point("c", 100, one, "met", chosen=True)]
    drawn = ladder(three, "f1", TARGET, WIDE)
    assert drawn.count('class="cross"') == 2
    assert drawn.count('class="dot unproven"') == drawn.count('class="dot met"') == drawn.count('class="ring"') == 1
    assert "c · chosen" in drawn
    assert "c: 0.500 [0.400, 0.600] in 1 min 40 s, met, chosen. The target is 0.600" in drawn


def test_where_less_is_better_the_passing_side_is_below() -> None:
    drawing = ElementTree.fromstring(ladder(points(1, 10), "loss", Line("loss", 0.5, above=False), WIDE))
    zone = next(box for box in drawing.iter("rect") if box.get("class") == "zone")
    line = next(one for one in drawing.iter("line") if one.get("class") == "target")
    assert float(zone.get("y", "")) == pytest.approx(float(line.get("y1", "")))


def test_a_rung_without_an_interval_has_no_whisker() -> None:
    assert 'class="whisker"' not in ladder([Point("a", 1, Figure(0.5))], "f1", None, WIDE)


def test_a_name_cannot_break_out() -> None:
    drawn = ladder([Point('<b>"x"&', 1, Figure(0.5))], "f1", None, WIDE)
    ElementTree.fromstring(drawn)
    assert "<b>" not in re.sub(r"<desc.*?</desc>", "", drawn)
