"""The page of a training as a whole: one safe file that says what the record says and leaves out what it does not."""

import copy
import json
import re
from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.report.stacked import TONES
from dragoman.report.training import SECTIONS, render_training
from tests.report.reading import (
    STRANGE,
    Page,
    assert_anchored,
    assert_no_strange_figure,
    assert_nothing_fetched,
    assert_told_in_words,
    colours,
    contrast,
    drawings,
    places,
)
from tests.report.sample_training import pretraining, sweep

OF_A_SWEEP = {"trials", "range_test"}


@pytest.fixture(scope="module", params=[pretraining, sweep], ids=["pretraining", "sweep"])
def html(request: pytest.FixtureRequest) -> str:
    return render_training(request.param())


def test_nothing_is_fetched_and_every_anchor_leads_somewhere(html: str) -> None:
    page = Page(html)
    assert_nothing_fetched(html, page)
    assert_anchored(page)


def test_every_drawing_is_told_in_words(html: str) -> None:
    found = drawings(html)
    assert len(found) >= 4
    assert_told_in_words(found)


def test_every_section_is_there_in_order() -> None:
    ids = [attributes["id"] for tag, attributes in Page(render_training(pretraining())).elements if tag == "section"]
    assert ids == [section.name for section in SECTIONS if section.name not in OF_A_SWEEP]
    ids = [attributes["id"] for tag, attributes in Page(render_training(sweep())).elements if tag == "section"]
    assert ids == ["trials", "range_test", "settings", "commands"]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
@pytest.mark.parametrize("hollow", [None, [], {}, "", float("nan"), [None], {"a": None}], ids=repr)
def test_a_hollow_part_is_left_out(section: object, hollow: object) -> None:
    html = render_training({"name": "x", "headline": "h", section.key: hollow})  # type: ignore[attr-defined]
    assert "<section" not in html
    assert "could not be read" not in html


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_a_missing_part_is_left_out(section: object) -> None:
    less = pretraining() | {key: value for key, value in sweep().items() if key in OF_A_SWEEP}
    name, key = section.name, section.key  # type: ignore[attr-defined]
    del less[key]
    if name == "lineage":
        del less["environment"]
    here = [attributes["id"] for tag, attributes in Page(render_training(less)).elements if tag == "section"]
    # Without a trace of their own, the loss and the speed are drawn from the evaluations.
    expected = {one.name for one in SECTIONS} - ({name} if key not in ("losses", "speed") else set())
    assert set(here) == expected


def test_a_part_that_cannot_be_read_is_said() -> None:
    html = render_training({"name": "x", "headline": "h", "losses": {"points": "many"}, "memory": 7, "trials": "none"})
    assert "could not be read and is left out: trials, losses, memory." in html


@pytest.mark.parametrize("given", [{}, {"name": "x", "kind": "train"}, {"name": "x", "tiles": {"a": None}}])
def test_a_record_of_nothing_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(UserError, match="nothing of a training"):
        render_training(given)


def test_every_text_of_the_record_is_escaped() -> None:
    """A mark that would open an element is put into every text and every key; not one element is born of it."""
    mark = "<img src=x onerror=alert(1)>\"'`&</style></title>"

    def stained(value: object, keys: bool) -> object:
        if isinstance(value, dict):
            return {key + mark if keys else key: stained(item, keys) for key, item in value.items()}
        if isinstance(value, list):
            return [stained(item, keys) for item in value]
        return value + mark if isinstance(value, str) else value

    free = {"tiles", "memory", "corpus", "model", "settings", "environment"}
    for made in (pretraining(), sweep()):
        page = Page(render_training({key: stained(value, key in free) for key, value in made.items()}))
        assert not [tag for tag, attributes in page.elements if tag == "img" or "onerror" in attributes]
        assert page.text.count("<img src=x onerror=alert(1)>") > 30


def test_the_record_survives_json_and_stays_as_it_is() -> None:
    for made in (pretraining, sweep):
        given = made()
        html = render_training(given)
        assert repr(given) == repr(made())
        assert render_training(json.loads(json.dumps(given))) == html


def shortened(record: Any) -> Any:
    """The same record with at most five entries in each list: enough to break, quicker to draw."""
    if isinstance(record, dict):
        return {key: shortened(value) for key, value in record.items()}
    return [shortened(value) for value in record[:5]] if isinstance(record, list) else record


@pytest.mark.parametrize("strange", STRANGE, ids=lambda value: str(value)[:12])
def test_no_strange_value_breaks_the_page(strange: object) -> None:
    """Each place of the records in turn, a fifteenth of them for each value, holds what nobody expects there."""
    start = STRANGE.index(strange)
    for small in (shortened(pretraining()), shortened(sweep())):
        for path in places(small)[start::15]:
            broken = copy.deepcopy(small)
            inner: Any = broken
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = strange
            assert_no_strange_figure(render_training(broken), path)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_in_a_bar_can_be_read(html: str, scheme: int) -> None:
    """4.5 : 1 for text (WCAG 2.2, 1.4.3) on each colour of a part."""
    colour = colours(re.findall(r":root \{(.*?)\}", html, re.DOTALL)[scheme])
    for tone in range(TONES):
        assert contrast(colour["ink"], colour[f"part-{tone}"]) >= 4.5, tone


def test_every_class_of_a_drawing_has_a_look(html: str) -> None:
    style = html.split("<style>")[1].split("</style>")[0]
    used = {
        name
        for found in re.findall(r'<(?:rect|polyline|circle|polygon)[^>]* class="([^"]*)"', html)
        for name in found.split()
    }
    assert used
    assert not {name for name in used if f".{name}" not in style}


def test_the_page_is_light_enough_to_send(html: str) -> None:
    assert len(html.encode()) < 300_000
