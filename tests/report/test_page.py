"""The page as a whole: it is one file, it is safe, it says what the record says and leaves out what it does not."""

import copy
import json
import re

import pytest

from dragoman.core.errors import UserError
from dragoman.report.page import SECTIONS, render
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
from tests.report.sample import record

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@pytest.fixture(scope="module")
def html() -> str:
    return render(record())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_nothing_is_fetched(html: str, page: Page) -> None:
    assert_nothing_fetched(html, page)


def test_the_policy_stands_before_all_else(page: Page) -> None:
    tags = [tag for tag, _ in page.elements]
    policy = [attributes["content"] for _, attributes in page.elements if attributes.get("http-equiv")]
    assert policy == [POLICY]
    assert tags.index("style") > 3


def test_an_address_in_a_sample_is_text(html: str) -> None:
    assert html.count("https://example.org/a?b=1&amp;c=2") == 1
    assert 'href="http' not in html


def test_text_of_the_record_is_escaped(html: str) -> None:
    assert "<script" not in html
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in html
    assert "Python Runtime Services &lt;&amp;&gt;" in html
    assert "<&>" not in html


def test_every_text_of_the_record_is_escaped() -> None:
    """A mark that would open an element is put into every text and every key; not one element is born of it."""
    mark = "<img src=x onerror=alert(1)>\"'`&</style></title>"

    def stained(value: object) -> object:
        if isinstance(value, dict):
            return {key: stained(item) for key, item in value.items()}
        if isinstance(value, list):
            return [stained(item) for item in value]
        return value + mark if isinstance(value, str) else value

    stain = {key: value if key == "verdict" else stained(value) for key, value in record().items()}
    stain["data"]["dropped"] = {mark: 3}
    stain["data"]["splits"] = {mark: {"rows": 1, "labels": {mark: 1}}}
    stain["metrics"] = {mark: {"value": 0.5}}
    stain["environment"] = {mark: {mark: mark}}
    stained_page = Page(render(stain))
    assert not [tag for tag, attributes in stained_page.elements if tag == "img" or "onerror" in attributes]
    assert stained_page.text.count("<img src=x onerror=alert(1)>") > 100


def test_hidden_characters_are_named(html: str) -> None:
    assert "[U+202E]gnirts[U+202C]" in html
    assert "zero[U+0000]byte" in html
    assert "\u202e" not in html
    assert "\x00" not in html
    html.encode("utf-8")


def test_text_of_any_script_stands_in_its_own_direction(html: str) -> None:
    assert '<p class="text" dir="auto">أعد' in html
    assert "<bdi>معالجة النصوص</bdi>" in html
    assert "👩🏽‍💻" in html


def test_every_section_is_there_in_order(page: Page) -> None:
    found = [attributes["id"] for tag, attributes in page.elements if tag == "section"]
    assert found == [section.name for section in SECTIONS]
    for section in SECTIONS:
        assert section.title in page.text


def test_ids_are_unique_and_every_anchor_leads_somewhere(page: Page) -> None:
    assert_anchored(page)


@pytest.mark.parametrize("verdict", ["met", "not_met", "none", "no_adaptation_needed"])
def test_a_name_and_a_verdict_are_enough(verdict: str) -> None:
    small = Page(render({"name": "tiny", "verdict": verdict}))
    assert not [tag for tag, _ in small.elements if tag in {"section", "table", "svg", "nav", "figure", "dl"}]
    assert "None " not in small.text.replace("None meets", "")


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_a_missing_part_is_left_out(section: object) -> None:
    name, key = section.name, section.key or "ladder"  # type: ignore[attr-defined]
    less = record()
    del less[key]
    if name == "lineage":
        del less["environment"]
    found = Page(render(less))
    here = [attributes["id"] for tag, attributes in found.elements if tag == "section"]
    assert name not in here
    assert f"#{name}" not in [attributes.get("href") for _, attributes in found.elements]
    assert len(here) >= len(SECTIONS) - 2  # the plan is drawn from the ladder, every other section stands alone


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
@pytest.mark.parametrize("hollow", [None, [], {}, "", float("nan"), [None], {"a": None}], ids=repr)
def test_a_hollow_part_is_left_out(section: object, hollow: object) -> None:
    if key := section.key:  # type: ignore[attr-defined]
        html = render({"name": "x", "verdict": "met", key: hollow})
        assert "<section" not in html
        assert "could not be read" not in html


def test_a_part_that_cannot_be_read_is_said() -> None:
    html = render({"name": "x", "verdict": "met", "calibration": {"bins": "nine"}, "per_class": 7})
    assert "could not be read and is left out: calibration, per_class." in html


@pytest.mark.parametrize(
    ("given", "problem"),
    [({}, "no name"), ({"name": "x"}, "no known verdict: None"), ({"name": "x", "verdict": "great"}, "'great'")],
)
def test_what_is_not_a_record_is_refused(given: dict[str, object], problem: str) -> None:
    with pytest.raises(UserError, match=problem) as refused:
        render(given)
    assert "dragoman run" in refused.value.hint


def test_the_record_survives_json(html: str) -> None:
    assert render(json.loads(json.dumps(record()))) == html


def test_the_same_record_gives_the_same_page_and_stays_as_it_is(html: str) -> None:
    given = record()
    before = copy.deepcopy(given)
    assert render(given) == html
    assert repr(given) == repr(before)


def test_every_drawing_is_well_formed_and_told_in_words(html: str) -> None:
    found = drawings(html)
    assert len(found) > 60
    assert_told_in_words(found)


@pytest.mark.parametrize("strange", STRANGE, ids=lambda value: str(value)[:12])
def test_no_strange_value_breaks_the_page(strange: object) -> None:
    """Each place of the record in turn, a tenth of them for each value, holds what nobody expects there."""
    start = STRANGE.index(strange) % 10
    small = record()
    small["confusion"] = {"labels": ["a", "b"], "counts": [[3, 1], [0, 4]]}
    small["per_class"] = small["per_class"][:2]
    for split in small["data"]["splits"].values():
        split["labels"] = dict(list(split["labels"].items())[:2])
    for path in places(small)[start::10]:
        if path in (("name",), ("verdict",)):
            continue
        broken = copy.deepcopy(small)
        inner = broken
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = strange
        html = render(broken)
        assert_no_strange_figure(html, path)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_can_be_read(html: str, scheme: int) -> None:
    """4.5 : 1 for text (WCAG 2.2, 1.4.3), on the page, on cards, on the washed side and on the cells of the matrix."""
    colour = colours(re.findall(r":root \{(.*?)\}", html, re.DOTALL)[scheme])
    for ground in ("paper", "card"):
        for ink in ("ink", "soft", "met", "unproven", "missed", "accent"):
            assert contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground)
    assert contrast(colour["ink"], colour["zone"]) >= 4.5
    assert contrast(colour["met"], colour["zone"]) >= 3  # a line (WCAG 2.2, 1.4.11)
    for cell in ("right", "wrong"):
        for strength in (0.08, 0.3, 0.5, 0.7):
            mixed = tuple(
                strength * top + (1 - strength) * under for top, under in zip(colour[cell], colour["card"], strict=True)
            )
            assert contrast(colour["ink"], mixed) >= 4.5, (cell, strength)  # type: ignore[arg-type]


def test_the_page_is_light_enough_to_send(html: str) -> None:
    assert len(html.encode()) < 600_000
