"""Texts that end an answer, found however the tokens cut them, and never shown in part."""

__all__ = ["Stops"]


class Stops:
    """Cuts a text that arrives piece by piece at the earliest occurrence of any stop text.

    What may be the beginning of a stop text waits until the next piece decides.
    """

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._stop = tuple(text for text in stop if text)
        self._held = ""
        self._stopped = False

    def push(self, text: str) -> tuple[str, bool]:
        """What may be shown now, and whether a stop text has come: then nothing more does."""
        if self._stopped:
            return "", True
        held = self._held + text
        found = [place for stop in self._stop if (place := held.find(stop)) >= 0]
        # Another that began earlier may still become whole with the next piece: then the cut lies there.
        waits = _open_end(held, self._stop)
        if found and min(found) <= waits:
            self._held, self._stopped = "", True
            return held[: min(found)], True
        self._held = held[waits:]
        return held[:waits], False

    def end(self) -> str:
        """The text is over: the rest of what may be shown."""
        found = [place for stop in self._stop if (place := self._held.find(stop)) >= 0]
        rest, self._held = self._held[: min(found)] if found else self._held, ""
        return rest


def _open_end(text: str, stop: tuple[str, ...]) -> int:
    """Where the earliest end piece of this text starts that is a true beginning of a stop text; its length if none."""
    longest = max(map(len, stop), default=1)
    for start in range(max(0, len(text) - longest + 1), len(text)):
        if any(len(one) > len(text) - start and one.startswith(text[start:]) for one in stop):
            return start
    return len(text)
