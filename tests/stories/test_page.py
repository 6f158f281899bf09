"""The chat page in a real browser: asked, stopped, judged, compared and kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.browsing import Browser
from tests.page_stub import DONE, Stub, ask, use


def test_a_question_is_answered_kept_judged_and_opened_again(page: Browser, stub: Stub) -> None:
    stub.answers["Hi"] = "## Well\n\nIt is **so**, see [there](https://example.com/a).\n\n```\nx = 1\n```"
    page.press("Enter", 13)  # nothing is asked where nothing is written
    page.type("two")
    page.press("Enter", 13, shift=True)
    assert "\n" in page.run("document.getElementById('say').value") and not stub.bodies
    page.run("document.getElementById('say').value = ''")
    ask(page, "Hi")
    assert page.text(".said h4") == "Well" and page.text(".said strong") == "so"
    assert page.run("document.querySelector('.said a').rel") == "noopener noreferrer"
    assert "(example.com)" in page.text(".said p")
    assert page.text(".said pre") == "x = 1"
    assert "tokens" in page.text(".figures")
    page.run("document.querySelector('.about').open = true")
    for told in ("run-7", "met", "d41d8c", "9f2c11", "req-0001", "9 read"):
        assert told in page.text(".about dl")
    page.click("[aria-label='Good answer']")
    page.until("document.querySelector('.stored').textContent === 'Saved.'")
    assert stub.feedback == [{"id": "req-0001", "thumb": "up"}]
    page.click("[aria-label='Bad answer']")
    page.until("document.querySelector('.correcting textarea') === document.activeElement")
    page.run("document.activeElement.value = ''")
    page.type("Better.")
    page.click(".correcting .strong")
    page.until("document.querySelector('.stored').textContent.startsWith('Saved. Thank')")
    assert stub.feedback[-1] == {"id": "req-0001", "thumb": "down", "correction": "Better."}
    stub.stores = False
    page.click("[aria-label='Good answer']")
    page.until("document.querySelector('.stored.wrong')")
    assert "Not saved" in page.text(".stored")
    assert page.run("document.querySelector('[aria-label=\"Good answer\"]').getAttribute('aria-pressed')") == "false"
    ask(page, "And then?")
    page.until("document.querySelector('#conversations .current')")
    body = next(body for path, body in reversed(stub.bodies) if path == "/v1/chat/completions")
    assert [one["role"] for one in body["messages"]] == ["user", "assistant", "user"]
    assert set(body) == {"model", "messages", "stream", "stream_options"}  # else as the model was judged
    page.press("k", 75, control=True)
    page.until("!document.querySelector('.turn')")
    page.click("#conversations .open")
    page.until("document.querySelectorAll('.turn').length === 2")
    assert page.text(".said h4") == "Well"
    (kept,) = stub.kept.values()
    assert kept["title"] == "Hi" and kept["model"] == "tour-chat"
    assert kept["messages"][1] == {"role": "assistant", "content": stub.answers["Hi"], "id": "req-0001"}


def test_what_is_written_is_stopped_asked_again_and_changed(page: Browser, stub: Stub) -> None:
    stub.answers["long"] = "word " * 400
    stub.pace = 0.02
    ask(page, "long", wait=False)
    page.until("document.querySelector('.writing .said')?.textContent.length > 20")
    assert page.run("document.getElementById('send').hidden")
    page.press("Escape", 27)
    page.until(DONE)
    assert 20 < len(page.text(".said")) < 1900 and page.text(".said-note") == "Stopped."
    page.until("!document.getElementById('send').hidden")
    stub.pace = 0.0
    ask(page, "short")
    page.click("[aria-label='Answer again']")
    page.until("document.querySelectorAll('.turn')[1].querySelector('.said-note').textContent.startsWith('The same')")
    assert page.count(".turn:last-child .answer") == 1
    page.run("document.querySelector('.turn:last-child .change').click()")
    page.until("document.querySelector('.editing textarea') === document.activeElement")
    page.run("document.activeElement.value = ''")
    page.type("changed")
    page.press("Enter", 13)
    page.until("document.querySelector('.turn:last-child .said')?.textContent === 'You said changed.'")
    page.until("!document.getElementById('send').hidden")
    assert page.text(".turn:last-child .question") == "changed" and page.count(".turn") == 2
    assert stub.cut == 1  # the server was told to stop
    sent = [body["messages"][-1]["content"] for path, body in stub.bodies if path == "/v1/chat/completions"]
    assert sent == ["long", "short", "short", "changed"]


def test_trouble_is_told_as_a_sentence_and_can_be_tried_again(page: Browser, stub: Stub) -> None:
    stub.busy = 1
    ask(page, "Hi")
    assert page.text(".trouble p") == "Too many requests wait."
    assert "tried again in 1 s" in page.text(".trouble .count")
    assert page.run("document.querySelector('.trouble button').disabled")
    page.until("!document.querySelector('.trouble button').disabled")
    page.click(".trouble button")
    page.until("document.querySelector('.said')?.textContent === 'You said Hi.'")
    page.until(DONE)
    ask(page, "break")
    assert page.text(".turn:last-child .said") == "You said break."  # what came stays
    assert page.text(".turn:last-child .trouble p") == "The model failed in the middle."


def test_a_key_is_asked_for_and_stays_out_of_addresses(page: Browser, stub: Stub) -> None:
    stub.key = "sesame"
    ask(page, "Hi", wait=False)
    page.until("document.getElementById('key').open")
    page.type("wrong")
    page.press("Enter", 13)
    page.until("document.getElementById('key-trouble').textContent.startsWith('That key')")
    page.type("sesame")
    page.click("#key .strong")
    page.until("document.querySelector('.said')?.textContent === 'You said Hi.'")
    page.until(DONE)
    assert not [one for one in page.asked if "sesame" in one]
    assert page.run("Object.values(localStorage).join() + location.href + document.body.innerHTML").count("sesame") == 0
    page.click("#leave")
    page.until("document.getElementById('key').open")
    page.click("#key .plain")
    page.until("!document.getElementById('start-trouble').hidden")
    assert "key is needed" in page.text("#start-trouble")
    assert page.run("sessionStorage.getItem('dragoman.key')") is None
    stub.key = ""
    page.click("#start-trouble button")
    page.until("document.getElementById('start-trouble').hidden")


def test_sources_open_with_the_words_that_are_cited(page: Browser, stub: Stub) -> None:
    use(page, "manual")
    ask(page, "How many bolts?")
    assert page.count(".said .chip") == 2 and page.count(".sources .source") == 2
    page.run("(one => { one.focus(); one.click(); })(document.querySelector('.said .chip'))")
    assert page.text("#panel .passage-source").split() == ["1", "manual.pdf"]
    assert "Page 3" in page.text("#panel-body") and "Tour › Wheels" in page.text("#panel-body")
    assert page.text("#panel mark") == "A wheel has five bolts"  # positions count characters, and one is a pair here
    page.press("Escape", 27)
    assert page.run("document.getElementById('panel').hidden")
    assert page.run("document.activeElement.className") == "chip"
    assert next(path for path, _ in stub.bodies) == "/v1/ask"
    stub.answers["Why?"] = "That is not in these documents [9]."
    ask(page, "Why?")
    assert page.count(".turn:last-child .refused") == 1 and page.count(".turn:last-child .said .chip") == 0


def test_labels_tags_and_nearness_are_drawn(page: Browser, stub: Stub) -> None:
    use(page, "mood")
    ask(page, "What a day")
    assert page.text(".verdict") == "glad"
    assert page.text(".bar.chosen").split() == ["glad", "91.0", "%"]
    widths = page.run("[...document.querySelectorAll('.fill')].map((one) => one.offsetWidth)")
    assert widths[0] > widths[1] > widths[2] > 0
    page.click("[aria-label='Bad answer']")
    page.until("document.querySelector('.correcting select')")
    page.run("document.querySelector('.correcting select').value = 'sad'")
    page.click(".correcting .strong")
    page.until("document.querySelector('.correcting').hidden")
    assert stub.feedback[-1]["correction"] == "sad"
    use(page, "names")
    ask(page, "Ada Lovelace saw London.")
    assert page.run("[...document.querySelectorAll('mark.tag bdi')].map((one) => one.textContent)") == [
        "Ada Lovelace",
        "London.",
    ]
    use(page, "near")
    ask(page, "aaa\naaa\neee")
    assert (
        page.run("[...document.querySelectorAll('.turn:last-child .share')].map((one) => one.textContent)")[0]
        == "1.000"
    )


def test_settings_are_sent_kept_and_set_back(page: Browser, stub: Stub) -> None:
    page.click("#open-settings")
    for name, value in (("temperature", "0.7"), ("max_tokens", "64"), ("top_p", "7")):
        page.run(f"document.getElementById('set-{name}').focus()")
        page.type(value)
    page.run("document.getElementById('set-system').focus()")
    page.type("Be brief.")
    assert page.run("document.getElementById('set-top_p').getAttribute('aria-invalid')") == "true"
    page.press("Escape", 27)
    ask(page, "Hi")
    body = stub.bodies[0][1]
    assert (body["temperature"], body["max_tokens"], "top_p" in body) == (0.7, 64, False)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    page.click("[aria-label='Answer again']")
    page.until("document.querySelectorAll('.answer').length === 1")
    page.until(DONE)
    assert [body for path, body in stub.bodies if path.startswith("/v1/chat")][1]["seed"] >= 0  # another draw
    page.reload()
    page.until("document.querySelector('#open-settings.changed')")
    page.click("#open-settings")
    page.run("document.getElementById('reset').click()")
    page.until("!document.querySelector('#open-settings.changed')")
    assert page.run("localStorage.getItem('dragoman.sampling')") is None


def test_two_models_answer_side_by_side_and_the_better_one_goes_on(page: Browser, stub: Stub) -> None:
    page.click("#compare")
    ask(page, "Hi")
    assert [body["model"] for path, body in stub.bodies if path == "/v1/chat/completions"] == ["tour-chat", "base"]
    boxes = page.run("[...document.querySelectorAll('.column')].map((one) => one.getBoundingClientRect().y)")
    assert boxes[0] == boxes[1]
    page.until("document.querySelector('.pick:not(:disabled)')")
    page.click(".pick")  # the second one
    page.until("document.querySelector('.pair > .note').textContent.startsWith('Saved.')")
    assert sorted(one["thumb"] for one in stub.feedback) == ["down", "up"]
    better = next(one["id"] for one in stub.feedback if one["thumb"] == "up")
    page.until("document.querySelector('#conversations .current')")
    ask(page, "More")
    page.until("document.querySelector('#send:not([hidden])')")
    (kept,) = stub.kept.values()
    assert kept["messages"][1]["id"] == better


def test_conversations_are_found_named_and_deleted(page: Browser, stub: Stub) -> None:
    said = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    stub.kept = {
        f"conversation-{n}": {"title": title, "messages": said, "model": "base"} for n, title in enumerate("abc")
    }
    page.reload()
    page.until("document.querySelectorAll('#conversations li').length === 3")
    page.run("document.getElementById('search').focus()")
    page.type("B")
    page.until("document.querySelectorAll('#conversations li').length === 1")
    page.run("document.querySelector('[aria-label=Rename]').click()")
    page.type("better")
    page.press("Enter", 13)
    page.until("document.querySelector('#conversations .open')?.textContent === 'better'")
    assert stub.kept["conversation-1"] == {"title": "better", "messages": said, "model": "base"}
    page.run("document.querySelector('[aria-label=Delete]').click()")
    page.until("document.getElementById('confirm').open")
    page.click("#confirm-no")
    page.until("!document.getElementById('confirm').open")
    assert len(stub.kept) == 3
    page.run("document.querySelector('[aria-label=Delete]').click()")
    page.click("#confirm-yes")
    page.until("!document.querySelector('#conversations li')")
    assert sorted(stub.kept) == ["conversation-0", "conversation-2"]
    page.click("#forget")
    page.click("#confirm-yes")
    page.until("document.getElementById('forget').hidden")
    assert stub.kept == {}


def test_a_server_that_keeps_nothing_says_so(page: Browser, stub: Stub) -> None:
    stub.keeps = False
    page.reload()
    page.until("document.getElementById('side-note').textContent.startsWith('This server keeps no')")
    ask(page, "Hi")
    assert not stub.kept and page.run("document.getElementById('side-trouble').hidden")


def test_it_fits_a_phone_turns_dark_and_reads_from_the_right(page: Browser, stub: Stub, tmp_path: Path) -> None:
    stub.answers["سلام"] = (
        "سلام! **این** یک پاسخ است.\n\n- یکی\n- دو\n\n| " + " | ".join("abcdefghij") + " |\n" + "|---" * 10 + "|"
    )
    page.wide(375, 700)
    ask(page, "سلام")
    assert page.run("getComputedStyle(document.querySelector('.said p')).direction") == "rtl"
    assert page.run("getComputedStyle(document.querySelector('.said ul')).direction") == "rtl"
    assert page.run(
        "document.documentElement.scrollWidth <= 375 && document.getElementById('thread').scrollWidth <= 375"
    )
    page.until("getComputedStyle(document.getElementById('side')).visibility === 'hidden'")
    page.click("#open-side")
    page.until("getComputedStyle(document.getElementById('side')).visibility === 'visible'")
    page.press("Escape", 27)
    page.until("getComputedStyle(document.getElementById('side')).visibility === 'hidden'")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.run(paper)
    page.wide(375, 700, dark=True)
    dark = page.run(paper)
    assert light != dark
    page.click("#theme")
    page.until(f"{paper} === {json.dumps(light)}")
    page.reload()
    page.until(f"document.readyState === 'complete' && {paper} === {json.dumps(light)}")
    page.picture(tmp_path / "phone.png")
    assert (tmp_path / "phone.png").stat().st_size > 1000


def markup(page: Browser, text: str) -> Any:
    """How the page draws a text, as HTML; `dir="auto"` left out, which every part has."""
    script = "import('/page/markdown.js').then((one) => { const place = document.createElement('div'); "
    plain = "place.innerHTML.replaceAll(' dir=\"auto\"', '')"
    return page.run(f"{script} new one.Growing(place).show({json.dumps(text)}); return {plain}; }})")


@pytest.mark.usefixtures("stub")
def test_markdown_is_drawn_and_grows_without_drawing_anew(page: Browser) -> None:
    tags = {
        "a **b** _c_ ~~d~~": "<p>a <strong>b</strong> <em>c</em> <del>d</del></p>",
        "`e*f*` snake_case_name 2*3*4": '<p><code dir="ltr">e*f*</code> snake_case_name 2<em>3</em>4</p>',
        "1. a\n   - b\n2. c": '<ol dir="ltr"><li>a<ul dir="ltr"><li>b</li></ul></li><li>c</li></ol>',
        "3) x": '<ol start="3" dir="ltr"><li>x</li></ol>',
        "> a\n> b": '<blockquote dir="ltr"><p>a<br>b</p></blockquote>',
        "***": "<hr>",
        "**open": "<p>**open</p>",
        "\\*a\\*": "<p>*a*</p>",
        "&lt;b&gt;": "<p>&amp;lt;b&amp;gt;</p>",
    }
    assert {text: markup(page, text) for text in tags} == tags
    grown = page.run(
        "import('/page/markdown.js').then((one) => { const place = document.createElement('div'); "
        "const text = new one.Growing(place); text.show('one\\n\\ntw'); const first = place.firstChild; "
        "text.show('one\\n\\ntwo\\n\\n- three'); "
        "return [first === place.firstChild, [...place.children].map((block) => block.innerText ?? '')]; })"
    )
    assert grown == [True, ["one", "two", "three"]]
    # Long and never closed: the time they take grows with their length, not with its square.
    for hostile in (
        "[" * 60000,
        "*a " * 30000,
        "`" * 50 + "a`" * 30000,
        "> " * 30000,
        "![](" * 20000,
        "- " * 30000,
        "_" * 60000,
    ):
        assert markup(page, hostile)
