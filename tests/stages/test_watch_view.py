"""What is shown of a course: words for people, figures with all digits, and a chart that is well-formed."""

import xml.etree.ElementTree as ET
from pathlib import Path

from dragoman.serve.drift import Drift
from dragoman.serve.journal_read import Figures
from dragoman.serve.watched import Course, Slot, follow, measures
from dragoman.stages.watch_view import charts, drift_rows, figures_of, model_rows, rows, span
from tests.serve.planted import NOW, plant


def test_words_and_figures(tmp_path: Path) -> None:
    course = follow(plant(tmp_path / "j.sqlite", wrong="errors"), NOW, 24, 168)
    shown = {row[0]: row[1:] for row in rows(measures(course))}
    assert shown["errors"] == ("20.0%", "[11.8%, 31.8%]", "0.0%", "< 0.001")
    assert shown["requests"] == ("60", "", "26", "") and shown["p95"][0].endswith(" s")
    assert span(course) == "the last 24 h against the 168 h before"
    assert model_rows({"m": course.now})[0][:3] == ("m", "60", "12")
    drift = Drift(60, 500, 0.03, 0.31, 0.17, 0.2, 0.004)
    assert [row[1] for row in drift_rows(drift)] == ["0.03", "0.31", "0.200", "60"] and drift_rows(None) == []
    told = figures_of(measures(course), drift, "x")
    assert told["figures"]["errors"]["now"] == 0.2 and told["drift"]["stability"] == 0.31


def test_the_chart_is_xml_also_where_nothing_happened(tmp_path: Path) -> None:
    full = charts(follow(plant(tmp_path / "j.sqlite"), NOW, 24, 168))
    empty = charts(Course((Slot(0, 3600, Figures()),), Figures(), Figures(), 1, 1))
    for drawn in (*full.values(), *empty.values()):
        root = ET.fromstring(drawn)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert set(full) == {"course-wide", "course-narrow"} and "60 requests" in full["course-wide"]
