"""The chat page against the real server: asked, judged, kept, and opened again."""

from collections.abc import Iterator

import pytest

from dragoman.serve.journal_read import read
from tests.browsing import Browser
from tests.page_stub import ask
from tests.serve.conftest import Running, launched
from tests.serve.writing import writing_context


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("page")
    running = launched(writing_context(home / "tiny", journal=home / "journal.sqlite"))
    yield running
    running.stop()


def test_a_person_talks_judges_and_comes_back(server: Running, browser: Browser) -> None:
    browser.wide(1200)
    browser.go(f"{server.url}/")
    browser.until("document.querySelector('.greeting h2')?.textContent !== 'No model'")
    browser.until("document.activeElement.id === 'say'")
    ask(browser, "the hill")
    browser.click("[aria-label='Bad answer']")
    browser.until("document.querySelector('.correcting textarea') === document.activeElement")
    browser.run("document.activeElement.value = ''")
    browser.type("Better so.")
    browser.click(".correcting .strong")
    browser.until("document.querySelector('.stored').textContent.startsWith('Saved')")
    browser.until("document.querySelector('#conversations .open')")
    browser.reload()
    browser.until("document.querySelector('#conversations .open')")
    browser.click("#conversations .open")
    browser.until("document.querySelectorAll('.turn').length === 1")
    (kept,) = [one for one in read(server.app.state.context.journal.path) if one.thumb]
    assert (kept.thumb, kept.correction) == (-1, "Better so.")
