"""Drives chromium through the pipe of its DevTools protocol: types, clicks, looks, and notes what it complained of."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Browser", "opened"]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
PATIENCE = 30.0  # seconds that something on a page may take on a busy machine


class Browser:
    """One tab. What the page complains of is in `complaints`, each address it asked for in `asked`."""

    def __init__(self, sends: int, reads: int) -> None:
        self._sends, self._reads = sends, reads
        self._held = b""
        self._numbers = itertools.count(1)
        self._session = ""
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.dialogs: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **words: Any) -> dict[str, Any]:
        """One command of the protocol and its result."""
        number = next(self._numbers)
        said: dict[str, Any] = {"id": number, "method": method, "params": words}
        if self._session:
            said["sessionId"] = self._session
        os.write(self._sends, json.dumps(said).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == number:
                if (
                    told.get("error", {})
                    .get("message", "")
                    .startswith(("Cannot find default", "Inspected target navigated"))
                ):
                    return {"result": {}}  # between two pages
                assert "error" not in told, (method, told["error"])
                result: dict[str, Any] = told["result"]
                return result
            self._note(told)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            more = os.read(self._reads, 1 << 16)
            assert more, "the browser has ended"
            self._held += more
        line, _, self._held = self._held.partition(b"\0")
        told: dict[str, Any] = json.loads(line)
        return told

    def _note(self, told: dict[str, Any]) -> None:
        words = told.get("params", {})
        match told.get("method"):
            case "Network.requestWillBeSent":
                self.asked.append(words["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(words["exceptionDetails"].get("exception", words["exceptionDetails"])))
            case "Log.entryAdded" if words["entry"]["level"] == "error":
                self.complaints.append(f"{words['entry']['text']} {words['entry'].get('url', '')}")
            case "Page.javascriptDialogOpening":
                self.dialogs.append(words["message"])
                number = next(self._numbers)
                said = {"id": number, "method": "Page.handleJavaScriptDialog", "params": {"accept": False}}
                os.write(self._sends, json.dumps({**said, "sessionId": self._session}).encode() + b"\0")

    def go(self, url: str) -> None:
        """Open an address."""
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def reload(self) -> None:
        """Load the page anew, and wait until it stands there."""
        self.run("window.before = 1")
        self.call("Page.reload")
        self.until("!window.before && document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of an expression on the page, promises waited for. The policy of the page does not bind it."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, (script, told.get("exceptionDetails"))
        return told["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until an expression holds."""
        over = time.monotonic() + PATIENCE
        # While another page is loaded there may be nothing yet that the expression names.
        safe = f"(() => {{ try {{ return Boolean({script}); }} catch {{ return false; }} }})()"
        while not self.run(safe):
            assert time.monotonic() < over, f"never came: {script}\n{self.run('document.body.innerText')}"
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        """What is seen of the first element that is selected."""
        return str(self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def count(self, selector: str) -> int:
        """How many elements are selected."""
        return int(self.run(f"document.querySelectorAll({json.dumps(selector)}).length"))

    def click(self, selector: str) -> None:
        """A true click of the mouse in the middle of the last element that is selected."""
        quoted = json.dumps(selector)
        self.until(f"document.querySelectorAll({quoted}).length")
        x, y = self.run(
            f"(() => {{ const all = document.querySelectorAll({quoted}), one = all[all.length - 1]; "
            "one.scrollIntoView({block: 'nearest'}); const box = one.getBoundingClientRect(); "
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Write into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, code: int, shift: bool = False, control: bool = False) -> None:
        """Press a key, by its name and its number."""
        held = (8 if shift else 0) + (2 if control else 0)
        said = {"Enter": "\r"}.get(key, key if len(key) == 1 and not control else "")
        words: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": code, "modifiers": held}
        self.call(
            "Input.dispatchKeyEvent",
            type="keyDown" if said else "rawKeyDown",
            **words,
            **({"text": said} if said else {}),
        )
        self.call("Input.dispatchKeyEvent", type="keyUp", **words)

    def wide(self, width: int, height: int = 860, dark: bool = False) -> None:
        """The size of the window, and what the system wants: light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> None:
        """Write what is seen as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def opened(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own; the test is skipped where chromium is not installed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed")
    its_in, ours_out = os.pipe()
    ours_in, its_out = os.pipe()
    # The protocol reads descriptor 3 and writes 4; a shell puts them there, whatever numbers they have here.
    shell = f'exec 3<&{its_in} 4>&{its_out}; exec "$0" "$@"'
    words = ["bash", "-c", shell, program, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    running = subprocess.Popen(
        words,
        pass_fds=(its_in, its_out),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(its_in)
    os.close(its_out)
    try:
        yield Browser(ours_out, ours_in)
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        os.close(ours_out)
        os.close(ours_in)
