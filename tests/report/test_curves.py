"""The learning curve and the calibration curve are drawn where their figures lie."""

from xml.etree import ElementTree

import pytest

from dragoman.report.axes import NARROW, WIDE, Line
from dragoman.report.curves import Bin, Step, calibration, learning
from dragoman.report.record import Figure

STEPS = [Step(100, Figure(0.4, 0.35, 0.45)), Step(1000, Figure(0.6, 0.57, 0.63))]


def test_what_is_projected_is_told_from_what_is_measured() -> None:
    drawn = learning(STEPS, [Step(4000, Figure(0.7, 0.6, 0.8))], "f1", Line("f1", 0.65), WIDE)
    ElementTree.fromstring(drawn)
    assert drawn.count('class="dot"') == 2
    assert drawn.count('class="dot open"') == 1
    assert "1,000 rows: 0.600 [0.570, 0.630]. Projected: 4,000 rows: 0.700 [0.600, 0.800]" in drawn


@pytest.mark.parametrize(("measured", "projected"), [(STEPS[:1], []), ([], STEPS), ([Step(0, Figure(0.1))], [])])
def test_few_points_are_enough(measured: list[Step], projected: list[Step]) -> None:
    ElementTree.fromstring(learning(measured, projected, "f1", None, NARROW))


def test_a_calibrated_bin_lies_on_the_diagonal() -> None:
    drawing = ElementTree.fromstring(calibration([Bin(0.25, 0.25, 10), Bin(0.75, 0.5, 40)]))
    on, below = list(drawing.iter("circle"))
    diagonal = next(line for line in drawing.iter("line") if line.get("class") == "ideal")
    x1, y1, x2, y2 = (float(diagonal.get(name, "")) for name in ("x1", "y1", "x2", "y2"))

    def height(dot: ElementTree.Element) -> float:
        """How far a dot lies above the diagonal, in pixels."""
        share = (float(dot.get("cx", "")) - x1) / (x2 - x1)
        return y1 + share * (y2 - y1) - float(dot.get("cy", ""))

    assert height(on) == pytest.approx(0, abs=0.05)
    assert height(below) == pytest.approx(-(y1 - y2) / 4, abs=0.05)
    bars = [float(bar.get("height", "")) for bar in drawing.iter("rect")]
    assert bars[1] == pytest.approx(4 * bars[0])
