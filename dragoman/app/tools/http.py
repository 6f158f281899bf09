"""Reads a page of a host that was named beforehand; without such a host there is no tool."""

import html
import re

from dragoman.app.tools.fetch import Fetcher, NotFetched
from dragoman.app.tools.tool import Argument, Tool
from dragoman.core.errors import UserError

__all__ = ["http", "seen"]

SHOWN = 4000  # characters of a page
UNSEEN = re.compile(r"(?is)<(script|style|head|template|noscript)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)")
TAG = re.compile(r"<[/!?a-zA-Z][^<>]*(?:>|\Z)")


def http(fetcher: Fetcher) -> Tool:
    """The tool; what it reads are others' words. Raises UserError where no host is named: it is off by default."""
    if not fetcher.hosts:
        raise UserError(
            "the tool http has no host that it may ask", "name some: Fetcher(hosts=frozenset({'example.org'}))"
        )

    def read(address: str) -> str:
        try:
            found = fetcher.get(address)
        except NotFetched as error:
            return f"error: {error.problem}"
        text = seen(found.text) if "html" in found.kind else found.text
        return (text.strip() or "the page is empty")[:SHOWN]

    about = f"reads a page of {', '.join(sorted(fetcher.hosts))}"
    return Tool("http", about, (Argument("address"),), lambda given: read(given["address"]), outside=True)


def seen(page: str) -> str:
    """The words of a page without its tags."""
    words = html.unescape(TAG.sub(" ", UNSEEN.sub(" ", page)))
    lines = (" ".join(line.split()) for line in words.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
