"""Stacked bars are as long as their parts, in one colour a part, and named without the colour."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from dragoman.report.axes import NARROW, WIDE, Size
from dragoman.report.stacked import TONES, stacked

FULL = {"weights": 400.0, "gradients": 400.0, "optimizer": 800.0, "activations": 1600.0}
LORA = {"weights": 400.0, "optimizer": 8.0, "activations": 1200.0}


def boxes(drawing: ElementTree.Element) -> list[tuple[str, float, float, float]]:
    """The segments of the bars, without the legend: part class, left edge, width, upper edge."""
    return [
        (box.get("class", ""), *(float(box.get(key, "")) for key in ("x", "width", "y")))
        for group in drawing.iter("g")
        for box in group.iter("rect")
    ]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=lambda size: size.name)
def test_all_bars_share_one_scale(size: Size) -> None:
    drawing = ElementTree.fromstring(stacked("m", "Memory", [("full", FULL), ("lora", LORA)], size))
    found = boxes(drawing)
    full, lora = found[:4], found[4:]
    assert len(lora) == 3
    for (_, x, width, _), value in zip(full, FULL.values(), strict=True):
        assert width + 1 == pytest.approx(value / 3200 * size.width, abs=0.02)
        assert x + width <= size.width
    assert lora[0][2] == full[0][2]
    assert all(after[1] == pytest.approx(before[1] + before[2], abs=1.02) for before, after in pairwise(full))
    assert {y for *_, y in full}.isdisjoint({y for *_, y in lora})


def test_a_part_has_one_colour_in_every_row() -> None:
    drawing = ElementTree.fromstring(stacked("m", "Memory", [("lora", LORA), ("full", FULL)]))
    kinds = [kind for kind, *_ in boxes(drawing)]
    assert kinds == ["part-0", "part-1", "part-2", "part-0", "part-3", "part-1", "part-2"]
    many = stacked("m", "Memory", [("x", {f"part {place}": 1.0 for place in range(TONES + 1)})])
    assert many.count(f'class="part-{TONES}"') == 0
    assert many.count('class="part-0"') == 4  # two in the legend, two in the bar


def test_it_is_told_in_words() -> None:
    drawn = stacked("m", "Memory", [("full", {"weights": 2.0**30, "none": 0.0}), ("", {"weights": 2.0**29})])
    assert "full: 1.00 GiB (weights 1.00 GiB); " in drawn
    assert "<title>full, weights: 1.00 GiB, 100 %</title>" in drawn
    assert "<title>weights: 512 MiB</title>" in drawn
    assert 'aria-labelledby="m-wide-title m-wide-desc"' in drawn


def test_a_name_stands_in_the_bar_only_where_there_is_room() -> None:
    drawing = ElementTree.fromstring(stacked("m", "Memory", [("lora", LORA)]))
    inside = [text.text for group in drawing.iter("g") for text in group.iter("text")]
    assert inside == ["weights", "activations"]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=lambda size: size.name)
def test_the_legend_stays_inside(size: Size) -> None:
    parts = {f"a part with a long name {place}": 1.0 for place in range(9)}
    drawing = ElementTree.fromstring(stacked("m", "Memory", [("a row with a long name " * 9, parts)], size))
    for text in drawing.iter("text"):
        assert 0 <= float(text.get("x", "")) <= size.width
    assert float(drawing.get("height", "")) > (250 if size is NARROW else 120)


@pytest.mark.parametrize(
    "rows", [[("a", {})], [("a", {"x": 0.0})], [("a", {"x": -1.0, "y": 2.0})], [("<b>", {"&": 1.0})]]
)
def test_strange_rows_break_nothing(rows: list[tuple[str, dict[str, float]]]) -> None:
    drawn = stacked("m", "Memory", rows)
    ElementTree.fromstring(drawn)
    assert not re.search(r'="(nan|inf|-)', drawn)
