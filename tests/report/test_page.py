"""The page as a whole: it is one file, it is safe, it says what the record says and leaves out what it does not."""

import copy
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from dragoman.core.errors import UserError
from dragoman.report.page import SECTIONS, render
from tests.report.sample import record

VOID = {"meta", "link", "br"}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class Page(HTMLParser):
    """The elements, attributes and text of a page; it refuses tags that do not close in their order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def html() -> str:
    return render(record())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def drawings(html: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(found) for found in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]


def test_nothing_is_fetched(html: str, page: Page) -> None:
    allowed = re.compile(r"#[\w-]+$|data:,$")
    for tag, attributes in page.elements:
        assert tag not in {
            "script",
            "iframe",
            "img",
            "object",
            "embed",
            "form",
            "base",
            "image",
            "use",
            "audio",
            "video",
        }
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in ("href", "src", "srcset", "action", "data", "poster", "xlink:href", "background"):
            assert name not in attributes or allowed.match(attributes[name]), (tag, attributes)
    style = html.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in style


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
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for name in ("aria-labelledby", "href"):
            for target in attributes.get(name, "").split():
                assert target.lstrip("#") in ids or target == "data:,"


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
    for drawing in found:
        assert drawing.get("role") == "img"
        title, told = drawing[0], drawing[1]
        assert (title.tag, told.tag) == ("title", "desc")
        assert title.text
        assert told.text
        assert drawing.get("aria-labelledby") == f"{title.get('id')} {told.get('id')}"


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Every place in a record: of a list, the first and the last item stand for all."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += places(item, (*path, key))
    elif isinstance(value, list) and value:
        for index in sorted({0, len(value) - 1}):
            found += places(value[index], (*path, index))
    return found


STRANGE = [
    None,
    float("nan"),
    float("inf"),
    -1,
    0,
    1e308,
    10**400,
    True,
    "",
    "text",
    [],
    {},
    [None],
    {"value": None},
    [[1]],
]


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
        for drawing in drawings(html):
            for element in drawing.iter():
                for name, value in element.attrib.items():
                    assert not re.search(r"\b(nan|inf|none)\b", value, re.IGNORECASE) or name in (
                        "id",
                        "aria-labelledby",
                    )
        shown = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
        assert not re.search(r">(nan|inf|-inf|None)\b|\[(nan|inf)", shown), path


def luminance(colour: tuple[float, float, float]) -> float:
    """The relative luminance of a colour with parts in [0, 1] (WCAG 2.2)."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def colours(block: str) -> dict[str, tuple[float, float, float]]:
    found = re.findall(r"--([\w-]+): #([0-9a-f]{6});", block)
    return {name: tuple(int(code[at : at + 2], 16) / 255 for at in (0, 2, 4)) for name, code in found}  # type: ignore[misc]


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
