"""The watching page in a real browser: it shows what rings, draws its chart, looks again, and complains of nothing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dragoman.serve.run import make_server
from dragoman.serve.watching import LIMITS, build_watch
from dragoman.stages.watch import Settings, Watcher
from dragoman.stages.watch_inputs import Watching
from tests.browsing import Browser
from tests.listening import answering
from tests.serve.planted import plant


@contextmanager
def watched(path: Path) -> Iterator[str]:
    """The page over a journal, and its address."""
    watcher = Watcher(Settings(every=0.2), path, Watching(path, path.parent, "words"))
    with answering(make_server(build_watch(watcher, 0.1), LIMITS)) as url:
        yield url


def test_what_rings_is_seen_and_goes_when_it_is_over(browser: Browser, tmp_path: Path) -> None:
    path = plant(tmp_path / "journal.sqlite", wrong="refusals", now=time.time())
    browser.complaints.clear()
    browser.asked.clear()
    browser.wide(1000)
    with watched(path) as url:
        browser.go(url)
        browser.until("document.querySelector('#course svg polyline')")
        assert browser.text("#state") == "1 alert rings" and browser.text("#alerts .next code") == "dragoman report"
        assert browser.count("#figures tbody tr") == 12 and browser.count("#course polyline") == 6
        assert browser.run("getComputedStyle(document.querySelector('#course .curve')).fill") == "none"
        assert "what was asked before" in browser.text("#against") and browser.count("#drift tbody tr") == 4
        browser.wide(390, dark=True)
        browser.until("document.querySelector('#course svg.narrow')")
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")
        path.unlink()
        browser.until("!document.getElementById('trouble').hidden")
        assert "there is no journal" in browser.text("#trouble")
        plant(path, now=time.time())
        browser.until("document.getElementById('state').textContent === 'Nothing rings'")
        browser.click("#pause")
        seen = len(browser.asked)
        time.sleep(0.5)
        browser.run("1")
        assert len(browser.asked) <= seen + 2 and browser.text("#pause") == "Go on"
        assert all(one.startswith(url) for one in browser.asked)
        assert not [line for line in browser.complaints if "Failed to load resource" not in line]
        browser.go("about:blank")
