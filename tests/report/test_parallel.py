"""Parallel coordinates: each trial crosses its settings where they lie and ends at its score, the best on top."""

import re
from xml.etree import ElementTree

import pytest

from dragoman.report.axes import NARROW, WIDE, Size
from dragoman.report.parallel import GRADES, Trial, parallel, varied

TRIALS = [
    Trial(0, "complete", 2.0, {"rate": 1e-4, "schedule": "cosine", "seed": 0.0}),
    Trial(1, "complete", 1.5, {"rate": 1e-3, "schedule": "wsd", "seed": 0.0}),
    Trial(2, "complete", 1.8, {"rate": 1e-2, "schedule": "cosine", "seed": 0.0}),
    Trial(3, "pruned", 9.0, {"rate": 1e-2, "schedule": "wsd", "seed": 0.0}),
    Trial(4, "failed", None, {"rate": 1e-3, "schedule": "cosine", "seed": 0.0}),
]
NAMES = ["rate", "schedule"]


def lines(drawing: ElementTree.Element) -> dict[str, tuple[str, list[tuple[float, float]]]]:
    """By trial: the look and the places of its line."""
    found = {}
    for group in drawing.iter("g"):
        title, line = group.find("title"), group.find("polyline")
        if line is not None and title is not None and (title.text or "").startswith("trial"):
            pairs = (pair.split(",") for pair in line.get("points", "").split())
            number = (title.text or "").split(":")[0]
            found[number] = (line.get("class", ""), [(float(x), float(y)) for x, y in pairs])
    return found


def wide(lower: bool = True, names: list[str] = NAMES) -> ElementTree.Element:
    return ElementTree.fromstring(parallel("t", TRIALS, names, "loss", lower, WIDE))


def test_only_what_varies_gets_an_axis() -> None:
    assert varied(TRIALS) == NAMES
    assert varied(TRIALS[:1]) == []
    assert varied([Trial(0, "complete", 1.0, {"a": 1.0}), Trial(1, "complete", 1.0, {})]) == ["a"]


def test_settings_lie_on_their_axes() -> None:
    found = lines(wide())
    rates = [found[f"trial {number}"][1][0] for number in (0, 1, 2)]
    assert {x for x, _ in rates} == {8.0}
    assert rates[0][1] - rates[1][1] == pytest.approx(rates[1][1] - rates[2][1], abs=0.02)  # a log axis
    words = {number: found[f"trial {number}"][1][1] for number in range(4)}
    assert words[0] == words[2] != words[1] == words[3]


def test_an_even_setting_stays_on_a_plain_axis() -> None:
    trials = [Trial(place, "complete", 1.0 + place, {"decay": 0.01 + 0.05 * place}) for place in range(5)]
    found = lines(ElementTree.fromstring(parallel("t", trials, ["decay"], "loss", True)))
    heights = [found[f"trial {place}"][1][0][1] for place in range(5)]
    assert heights[0] - heights[1] == pytest.approx(heights[3] - heights[4], abs=0.02)


@pytest.mark.parametrize(("lower", "best"), [(True, 1), (False, 0)])
def test_the_better_end_is_up_and_the_best_is_drawn_last(lower: bool, best: int) -> None:
    found = lines(wide(lower))
    ends = {number: found[f"trial {number}"][1][-1][1] for number in (0, 1, 2)}
    assert min(ends, key=lambda number: ends[number]) == best
    assert list(found)[-1] == f"trial {best}"
    looks = [number for number, (look, _) in found.items() if "best" in look]
    assert looks == [f"trial {best}"]
    assert found[f"trial {best}"][0] == f"trial grade-{GRADES - 1} best"


def test_a_trial_that_was_stopped_is_dashed_and_does_not_stretch_the_axis() -> None:
    found = lines(wide())
    look, places = found["trial 3"]
    assert "stopped" in look
    assert "grade-0" in look
    assert places[-1][1] > found["trial 0"][1][-1][1]
    assert places[-1][1] - found["trial 1"][1][-1][1] < 430  # at the edge of the axis, not far below it
    assert sum("stopped" in look for look, _ in found.values()) == 1


def test_a_trial_that_failed_ends_in_a_cross() -> None:
    found = lines(wide())
    assert "failed" in found["trial 4"][0]
    assert len(found["trial 4"][1]) == 2
    assert wide().findall(".//g/line[@class='cross']")


def test_colours_tell_the_rank() -> None:
    """One trial that went astray does not make all others look alike."""
    trials = [Trial(place, "complete", 10.0**place, {"a": float(place)}) for place in range(GRADES)]
    found = lines(ElementTree.fromstring(parallel("t", trials, ["a"], "loss", True)))
    grades = [re.findall(r"grade-(\d)", found[f"trial {place}"][0])[0] for place in range(GRADES)]
    assert grades == [str(grade) for grade in reversed(range(GRADES))]


def test_it_is_told_in_words() -> None:
    text = parallel("t", TRIALS, NAMES, "loss", True)
    assert "trial 1: loss 1.500 (rate 0.001, schedule wsd, seed 0)" in text
    assert "<title>trial 3: loss 9.000, stopped early" in text
    assert "<title>trial 4: no score, failed" in text
    assert "Settings and loss of 5 trials" in text


def test_in_a_narrow_drawing_the_axes_lie_and_the_better_end_is_right() -> None:
    drawing = ElementTree.fromstring(parallel("t", TRIALS, NAMES, "loss", True, NARROW))
    look = f"trial grade-{GRADES - 1} best"
    best = next(line for line in drawing.iter("polyline") if line.get("class") == look)
    points = [tuple(map(float, pair.split(","))) for pair in best.get("points", "").split()]
    assert [y for _, y in points] == sorted(y for _, y in points)
    ends = [
        float(line.get("points", "").split()[-1].split(",")[0])
        for line in drawing.iter("polyline")
        if "grade" in line.get("class", "") and line.get("points", "").count(" ") == 2
    ]
    assert points[-1][0] == max(ends)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=lambda size: size.name)
@pytest.mark.parametrize("count", [1, 3, 8])
def test_everything_stands_inside(count: int, size: Size) -> None:
    names = [f"a.setting.with.a.long.name.{place}" for place in range(count)]
    trials = [
        Trial(number, "complete", number / 3, {name: float(number * (place + 1)) for place, name in enumerate(names)})
        for number in range(12)
    ]
    drawing = ElementTree.fromstring(parallel("t", trials, names, "bits per byte", True, size))
    height = float(drawing.get("height", ""))
    for line in drawing.iter("polyline"):
        for pair in line.get("points", "").split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= size.width
            assert 0 <= y <= height
    for text in drawing.iter("text"):
        assert 0 <= float(text.get("x", "")) <= size.width
        assert 0 <= float(text.get("y", "")) <= height


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=lambda size: size.name)
@pytest.mark.parametrize(
    "trials",
    [
        [Trial(0, "complete", 1.0, {})],
        [Trial(0, "failed", None, {})],
        [Trial(0, "odd", None, {"a": 0.0}), Trial(1, "complete", 0.0, {"a": "<b>"})],
        [Trial(0, "complete", 1e27, {"a": -1e27}), Trial(1, "pruned", -1e27, {"a": 1e27})],
    ],
)
def test_strange_trials_break_nothing(trials: list[Trial], size: Size) -> None:
    text = parallel("t", trials, varied(trials), "<i>", True, size)
    ElementTree.fromstring(text)
    assert not re.search(r"<[bi]>", text)
    assert not re.search(r'[=">, (](nan|inf)', text)
