"""Lines stand where their points lie, in panels over one axis, plain or logarithmic."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from dragoman.report.axes import NARROW, WIDE, Size
from dragoman.report.lines import Across, Panel, Series, panels
from dragoman.report.text import advance

TOLD = ("Loss", "it falls")
STEPS = Across("step")
FALL = tuple((float(step), 4.0 / (1 + step)) for step in range(0, 101, 10))


def drawn(shown: list[Panel], across: Across = STEPS, size: Size = WIDE) -> ElementTree.Element:
    return ElementTree.fromstring(panels("loss", TOLD, shown, across, size))


def curves(drawing: ElementTree.Element) -> list[list[tuple[float, float]]]:
    """The places of each line."""
    found = []
    for line in drawing.iter("polyline"):
        pairs = (pair.split(",") for pair in line.get("points", "").split())
        found.append([(float(x), float(y)) for x, y in pairs])
    return found


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=lambda size: size.name)
def test_lower_is_lower_and_later_is_further_right(size: Size) -> None:
    (line,) = curves(drawn([Panel("loss", (Series("", FALL),))], size=size))
    assert len(line) == len(FALL)
    assert [x for x, _ in line] == sorted(x for x, _ in line)
    assert [y for _, y in line] == sorted(y for _, y in line)  # down the page
    steps = [after[0] - before[0] for before, after in pairwise(line)]
    assert max(steps) - min(steps) < 0.03


def test_on_a_logarithmic_axis_ten_times_as_far_is_one_step() -> None:
    points = tuple((10.0**power, 1.0 * power) for power in range(4))
    (line,) = curves(drawn([Panel("loss", (Series("", points),))], Across("rate", log=True)))
    steps = [after[0] - before[0] for before, after in pairwise(line)]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.03)
    upright = Panel("loss", (Series("", tuple((y, x) for x, y in points)),), log=True)
    (line,) = curves(drawn([upright]))
    steps = [before[1] - after[1] for before, after in pairwise(line)]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.03)


def test_a_logarithmic_axis_has_no_place_for_zero() -> None:
    (line,) = curves(drawn([Panel("loss", (Series("", FALL),))], Across("step", log=True)))
    assert len(line) == len(FALL) - 1
    (line,) = curves(drawn([Panel("loss", (Series("", (*FALL, (110.0, 0.0))),), log=True)]))
    assert len(line) == len(FALL)


def test_panels_stand_below_each_other_and_share_the_axis() -> None:
    one = Panel("loss", (Series("", FALL),), 200)
    two = Panel("rate", (Series("", tuple((x, 0.1) for x, _ in FALL)),), 60, low=0.0)
    drawing = drawn([one, two])
    first, second = curves(drawing)
    assert max(y for _, y in first) < min(y for _, y in second)
    assert [x for x, _ in first] == [x for x, _ in second]
    assert float(drawing.get("height", "")) > 260


def test_a_line_that_leaves_its_axis_runs_along_the_edge() -> None:
    points = ((1.0, 1.0), (2.0, 2.0), (3.0, 1e9))
    (line,) = curves(drawn([Panel("loss", (Series("", points),), low=0.0, high=4.0)]))
    assert line[2][1] == 34.0
    assert line[0][1] - line[1][1] == pytest.approx(200 / 4, abs=0.02)


def test_dots_and_the_ring_tell_their_figures() -> None:
    text = panels("l", TOLD, [Panel("loss", (Series("", FALL, dots=True),), ringed=FALL[-1])], Across("step"))
    assert text.count('class="dot"') == len(FALL)
    assert text.count('class="ring"') == 1
    assert "<title>step 100: 0.040</title>" in text
    assert ">0.040</text>" in text


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=lambda size: size.name)
@pytest.mark.parametrize("place", [1e-5, 0.3, 1.0])
def test_a_marked_place_has_its_words_inside(place: float, size: Size) -> None:
    across = Across("rate", log=True, marked=(place, "chosen 0.0003"))
    drawing = drawn([Panel("loss", (Series("", ((1e-5, 3.0), (1.0, 2.0))),))], across, size)
    words = next(text for text in drawing.iter("text") if text.get("class") == "target-name")
    x, wide = float(words.get("x", "")), advance(words.text or "", 13)
    left = x - wide if words.get("text-anchor") == "end" else x
    assert left >= 0
    assert left + wide <= size.width
    assert len([line for line in drawing.iter("line") if line.get("class") == "target"]) == 1


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=lambda size: size.name)
@pytest.mark.parametrize("most", [7.0, 1e6, 2.4e7])
def test_the_figures_of_the_axes_stand_inside(most: float, size: Size) -> None:
    drawing = drawn([Panel("tokens/s", (Series("", ((0.0, 0.0), (most, most * 100))),))], size=size)
    for text in drawing.iter("text"):
        x, wide = float(text.get("x", "")), advance(text.text or "", 12)
        start = {"end": x - wide, "middle": x - wide / 2}.get(text.get("text-anchor", ""), x)
        assert start >= -1
        assert start + wide <= size.width + 1


def test_lines_that_are_named_have_a_legend() -> None:
    series = (Series("training", FALL), Series("held out", FALL, "second"))
    words = [text.text for text in drawn([Panel("loss", series)]).iter("text")]
    assert {"training", "held out"} <= set(words)
    assert "training" not in [text.text for text in drawn([Panel("loss", series[:1])]).iter("text")]


@pytest.mark.parametrize("across", [Across("step"), Across("step", log=True)], ids=["plain", "log"])
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    "points", [((0.0, 0.0),), ((1.0, 2.0),), ((5.0, 1e-12), (5.0, 1e-12)), ((0.0, -1e14), (1e15, 1e27)), ()]
)
def test_strange_points_break_nothing(points: tuple[tuple[float, float], ...], log: bool, across: Across) -> None:
    shown = [Panel("loss", (Series("", points),), low=None if log else 0.0, log=log), Panel("x", (Series("", points),))]
    text = panels("l", TOLD, shown, across)
    ElementTree.fromstring(text)
    assert not re.search(r'[=">, (](nan|inf)', text)
    assert all(math.isfinite(value) for line in curves(ElementTree.fromstring(text)) for pair in line for value in pair)


def test_a_name_cannot_break_out() -> None:
    series = (Series("<b>", FALL), Series("&", FALL))
    text = panels("l", ("<i>", '"&'), [Panel("<u>", series)], Across("<s>", marked=(3, "<p>")))
    ElementTree.fromstring(text)
    assert not re.search(r"<(b|i|u|s|p)>", text)
