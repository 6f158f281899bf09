"""The upright axis leaves a margin and names round figures; the words of the target stand on its worse side."""

from dragoman.report.axes import Line, frame, target_line, upright_scale
from dragoman.report.svg import Drawing


def test_a_share_does_not_leave_its_range() -> None:
    scale = upright_scale([0.5, 0.99], 10, 110)
    assert scale.high == 1.0
    assert scale.place(0.99) < scale.place(0.5)  # up is less on a screen
    assert upright_scale([0.5, 3.0], 10, 110).high > 3


def test_the_words_of_the_target_stand_on_the_worse_side() -> None:
    scale = upright_scale([0.4, 0.8], 10, 110)
    line = scale.place(0.6)
    above = target_line(Drawing(), scale, Line("f1", 0.6), 0, 300)
    below = target_line(Drawing(), scale, Line("f1", 0.6, above=False), 0, 300)
    assert above[1] > line > below[3]


def test_the_frame_names_the_axis() -> None:
    drawing = Drawing()
    frame(drawing, upright_scale([0.4, 0.8], 10, 110), 40, 300, "macro_f1")
    assert "macro_f1" in drawing.parts[-1]
    assert sum("<line" in part for part in drawing.parts) >= 3
