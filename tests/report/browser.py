"""A page in a real browser without a window: what it wrote into itself, and what it complained of."""

import html
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["Opened", "open_page", "with_script"]


@dataclass(frozen=True)
class Opened:
    """The page after its scripts have run."""

    text: str
    "its HTML, as the browser would write it now"
    complaints: tuple[str, ...]
    "the lines of its console"

    def inside(self, name: str) -> str:
        """The text of the first element of that id, tags left out."""
        found = re.search(rf'<(\w+)[^>]* id="{name}".*?</\1>', self.text, re.DOTALL)
        assert found, name
        return html.unescape(re.sub(r"<[^>]*>", "", found[0]))


def open_page(page: str, folder: Path, width: int = 1280) -> Opened:
    """Open a page in chromium; the test is skipped where it is not installed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed")
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=2000"]
    where = [f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900", "--dump-dom", path.as_uri()]
    done = subprocess.run([program, *words, *where], capture_output=True, timeout=60, check=True)
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    return Opened(done.stdout.decode("utf-8"), tuple(line for line in lines if "CONSOLE" in line))


def with_script(page: str, script: str) -> str:
    """The page with a script of the test's own behind it, which its policy would refuse: the policy is taken out."""
    freed = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    assert freed != page
    return freed.replace("</body>", f"<script>{script}</script></body>")
