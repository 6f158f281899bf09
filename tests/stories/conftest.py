"""The chat page in a browser, on a server that says what the stories want."""

from collections.abc import Iterator

import pytest

from tests.browsing import Browser, opened
from tests.page_stub import Stub, served


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all stories of the page."""
    with opened(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture
def stub() -> Stub:
    """A server with nothing kept."""
    return Stub()


@pytest.fixture
def page(browser: Browser, stub: Stub) -> Iterator[Browser]:
    """The page, opened on it. At the end: no script failed, and nothing was fetched from elsewhere."""
    browser.complaints.clear()
    browser.asked.clear()
    browser.dialogs.clear()
    browser.wide(1200)
    with served(stub) as url:
        browser.go(url)
        browser.until("document.querySelector('.greeting h2')?.textContent !== 'No model'")
        browser.until("document.activeElement.id === 'say'")
        yield browser
        assert not [line for line in browser.complaints if "Failed to load resource" not in line]
        assert all(one.startswith(url) for one in browser.asked), browser.asked
        assert not browser.dialogs
        browser.run("localStorage.clear(), sessionStorage.clear(), 1")
        browser.go("about:blank")
