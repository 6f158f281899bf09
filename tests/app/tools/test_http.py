"""The tool that reads a page: off unless a host is named, and what is wrong is told as text."""

import pytest

from dragoman.app.tools.fetch import Fetcher
from dragoman.app.tools.http import http, seen
from dragoman.core.errors import UserError
from tests.app.tools.test_fetch import page, public, served


def test_it_is_off_by_default() -> None:
    with pytest.raises(UserError, match="no host"):
        http(Fetcher())


def test_a_page_is_read_as_words() -> None:
    body = b"<head><title>t</title></head><p>One &amp; <b>two</b></p><script>bad()</script><!-- no --><p>three"
    connect, _ = served([page(body, "text/html"), page(b"a < b", "text/plain")])
    tool = http(Fetcher(frozenset({"a.test"}), resolve=public, connect=connect))
    assert tool.outside and "a.test" in tool.about
    assert tool.run({"address": "http://a.test/"}).split() == ["One", "&", "two", "three"]
    assert tool.run({"address": "http://a.test/"}) == "a < b"
    assert tool.run({"address": "http://b.test/"}) == "error: b.test is not among the hosts that may be asked"


def test_a_page_that_is_cut_off_shows_no_script() -> None:
    assert seen("<p>a</p><script>secret()").split() == ["a"]
    assert seen("x <b").split() == ["x"]
