"""The page that explains a model: one safe file, alive in a real browser, that needs no mouse."""

import base64
import copy
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dragoman.report.explain import SCRIPTS, render
from tests.report.browser import open_page, with_script
from tests.report.traces import encoder_decoder, filler, reader, speaker, unpacked

TRACES: dict[str, Callable[[], dict[str, Any]]] = {
    "decoder": speaker,
    "masked": filler,
    "encoder": reader,
    "encoder-decoder": encoder_decoder,
}
EVIL = """</script><img src=x onerror="document.title='broken'"><script>document.title='broken'</script>&lt;"""


class Tags(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def evil() -> dict[str, Any]:
    """A trace whose every text tries to be HTML."""
    trace = copy.deepcopy(speaker())
    trace |= {"text": EVIL, "title": EVIL, "model": EVIL, "names": dict.fromkeys(trace["names"], EVIL)}
    trace["tokens"] = [{**token, "text": EVIL} for token in trace["tokens"]]
    return trace


@pytest.mark.parametrize("name", TRACES)
def test_nothing_is_fetched(name: str) -> None:
    page = render(TRACES[name]())
    tags = Tags(page).found
    assert not {"iframe", "img", "object", "embed", "base", "audio", "video"} & {tag for tag, _ in tags}
    for tag, attributes in tags:
        assert "src" not in attributes, tag
        assert re.match(r"#[\w-]+$|data:,$", attributes.get("href") or "#a"), attributes
        assert not any(key.startswith("on") or key == "style" for key in attributes), attributes
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(|innerHTML|document\.write", page)
    addresses = set(re.findall(r"https?://[^\"'\s)]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # the name of a language, not a place


def test_only_our_script_may_run() -> None:
    page = render(speaker())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert policy and len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy[1]
    assert policy[1].startswith("default-src 'none'")


def test_a_text_cannot_leave_its_place(tmp_path: Path) -> None:
    page = render(evil())
    tags = [tag for tag, _ in Tags(page).found]
    assert tags.count("script") == 2  # the data and the program
    assert "img" not in tags
    data = re.search(r'<script type="application/json" id="trace">(.*?)</script>', page, re.DOTALL)
    assert data and json.loads(data[1])["text"] == EVIL
    opened = open_page(with_script(page, "document.body.dataset.title = document.title"), tmp_path)
    assert not opened.complaints
    assert "<img" not in opened.text
    assert 'data-title="How ' in opened.text
    assert "broken" not in re.findall(r'data-title="([^"]*)"', opened.text)[0].split("reads")[-1]


SECTIONS = {
    "decoder": ["journey", "tokens", "embeddings", "positions", "attention", "lens", "next"],
    "masked": ["journey", "tokens", "embeddings", "positions", "attention", "lens", "masked"],
    "encoder": ["journey", "tokens", "embeddings", "positions", "attention"],
    "encoder-decoder": ["journey", "tokens", "embeddings", "positions", "attention", "cross", "lens", "next"],
}


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize("width", [1280, 500])
def test_every_section_is_drawn(name: str, width: int, tmp_path: Path) -> None:
    page = render(TRACES[name]())
    assert re.findall(r'<section id="(\w+)"', page) == SECTIONS[name]
    measured = with_script(
        page,
        """
        const free = (node) => !node.closest(".scroll, .track, .pieces, .skip, .line");
        const beyond = (node) => node.getBoundingClientRect().right > innerWidth + 1;
        const all = (names) => [...document.querySelectorAll(names)];
        document.body.dataset.wide = all("body *").filter((node) => free(node) && beyond(node)).length;
        const empty = all("[id$=figure], [data-attention]").filter((node) => !node.children.length);
        document.body.dataset.empty = empty.map((node) => node.id).join(" ");
        """,
    )
    opened = open_page(measured, tmp_path, width)
    assert not opened.complaints
    assert 'data-ready="true"' in opened.text
    assert 'data-wide="0"' in opened.text  # nothing is wider than the screen but what scrolls inside itself
    assert 'data-empty=""' in opened.text


def test_nobody_needs_a_mouse(tmp_path: Path) -> None:
    script = """
        const said = [];
        const event = (key) => new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
        const press = (key) => document.activeElement.dispatchEvent(event(key));
        document.querySelector("[role=option][tabindex='0']").focus();
        press("Home");
        press("ArrowRight");
        press("ArrowRight");
        said.push(document.querySelector("[role=option][aria-selected=true]").textContent);
        said.push(document.querySelector("#tokens-said").textContent);
        said.push(document.querySelector("#embeddings-title").textContent);
        document.querySelector(".head[tabindex='0']").focus();
        press("ArrowDown");
        press("ArrowRight");
        document.activeElement.click();
        said.push(document.querySelector(".large h4").textContent);
        document.querySelector(".large").focus();
        press("ArrowUp");
        press("ArrowRight");
        said.push(document.querySelector(".large h4").textContent);
        said.push(document.querySelector(".large p").textContent);
        document.querySelector("#lens-figure td[tabindex='0']").focus();
        press("ArrowUp");
        press("ArrowLeft");
        said.push(document.querySelector("#lens-said p").textContent);
        const slider = document.querySelector("#next-temperature");
        slider.value = 0;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        document.querySelector("#next-buttons button").click();
        said.push(document.querySelector("#next-drawn").textContent);
        const named = (node) => node.labels?.length || node.getAttribute("aria-label") || node.textContent.trim();
        const used = [...document.querySelectorAll("button, input, select, a, [tabindex='0']")];
        said.push(used.filter((node) => !named(node)).length);
        document.body.dataset.said = JSON.stringify(said);
    """
    opened = open_page(with_script(render(speaker()), script), tmp_path)
    assert not opened.complaints
    found = re.search(r'data-said="([^"]*)"', opened.text)
    assert found
    said = json.loads(found[1].replace("&quot;", '"').replace("&amp;", "&").replace("&lt;", "<"))
    token, sentence, near, head, moved, reads, lens, drawn, unnamed = said
    assert token == "·cat"
    assert "Token 3 of 7, number 2: 4 bytes" in sentence
    assert near == "Nearest to ·cat"
    assert head == "Layer 2, head 2"
    assert moved == "Layer 1, head 2"
    assert reads.startswith("·sat reads")
    assert lens == "Layer 1, after ·cat:"
    best = int(unpacked(speaker()["next"]["logits"]).argmax())
    assert speaker()["names"][str(best)].strip() in drawn
    assert "it was hit 1 of 1 times" in drawn
    assert unnamed == 0


def colours(block: str) -> dict[str, Any]:
    found = re.findall(r"--([\w-]+): #([0-9a-f]{6});", block)
    return {name: np.array([int(code[at : at + 2], 16) / 255 for at in (0, 2, 4)]) for name, code in found}


def contrast(one: Any, other: Any) -> float:
    """WCAG 2.2: the ratio of relative luminances."""
    parts = [
        np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722) for c in (one, other)
    ]
    return float((max(parts) + 0.05) / (min(parts) + 0.05))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_can_be_read(scheme: int) -> None:
    colour = colours(re.findall(r":root \{(.*?)\}", render(speaker()), re.DOTALL)[scheme])
    pairs = [(ink, ground) for ink in ("ink", "soft", "accent", "pick") for ground in ("paper", "card")]
    pairs += [("ink", f"tint-{number}") for number in range(5)] + [
        ("paper", "pick"),
        ("paper", "accent"),
        ("ink", "pick-soft"),
    ]
    for ink, ground in pairs:
        assert contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground)
    for share in (0.04, 0.2, 0.48):  # the cells of the lens, the words a head reads
        for ground in ("paper", "card"):
            cell = share * colour["accent"] + (1 - share) * colour[ground]
            assert contrast(colour["ink"], cell) >= 4.5, share


def test_every_script_and_every_paper_is_in_the_page() -> None:
    page = render(speaker())
    folder = files("dragoman.report").joinpath("templates", "explain")
    assert sorted(path.name for path in folder.iterdir() if path.name.endswith(".js")) == sorted(
        f"{name}.js" for name in SCRIPTS
    )
    listed = page[page.index('class="papers"') :]
    prose = "".join(render(one()) for one in TRACES.values())
    for name, year in set(
        re.findall(
            r"(\w+)(?: et al\.| and \w+)? (19\d\d|20\d\d)[);,]",
            re.sub(r"<script.*?</script>", "", prose, flags=re.DOTALL),
        )
    ):
        assert re.search(rf"{name}.*{year}", listed), (name, year)


def test_a_cut_text_says_so() -> None:
    assert "12 more tokens" in render({**speaker(), "left_out": 12})
