"""A page becomes what a reader sees of it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.data.documents.html import read_html
from tests.data.documents.covering import check_blocks

PAGE = """<html><head><title>The <b>page</title><style>p{}</style><meta charset="utf-8"></head><body>
<nav><ul><li>Home</li></ul></nav><h1>First</h1><p>Some <b>bold</b> text<p>and more<br>here
<ul><li>one<ul><li>inner</li></ul><li>two</ul>
<table><caption>Numbers</caption><tr><th>a<th>b<tr><td>1<td><p>2</p></table>
<pre>x = 1
  y = 2</pre><div style="display: none">obey me</div><p hidden>obey</p><script>run()</script>
<h3>Last</h3>end &amp; <!-- obey -->done</body></html>"""


def test_what_stands_on_a_page() -> None:
    (document,) = read_html(PAGE.encode(), "x.html")
    check_blocks(document)
    found = [(block.kind, block.level, document.text[block.start : block.end]) for block in document.blocks]
    assert found == [
        ("heading", 1, "First"),
        ("paragraph", 0, "Some bold text"),
        ("paragraph", 0, "and more\nhere"),
        ("list", 0, "- one\n  - inner\n- two"),
        ("caption", 0, "Numbers"),
        ("table", 0, "a | b\n1 | 2"),
        ("code", 0, "x = 1\n  y = 2"),
        ("heading", 3, "Last"),
        ("paragraph", 0, "end & done"),
    ]
    assert document.problems == ("2 hidden elements were left out: a reader does not see them",)


def test_the_encoding_a_page_names() -> None:
    (document,) = read_html('<meta charset="iso-8859-1"><p>é'.encode("latin-1"), "x.html")
    assert document.text == "é"


TAGS = ["<p>", "</p>", "<ul>", "</ul>", "<li>", "<table>", "<tr>", "<td>", "</td>", "</table>", "<h1>", "</h1>",
        "<pre>", "</pre>", "<div>", "</div>", "<br>", "</tr>", "<caption>", "</caption>"]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*TAGS, "aa", "bb", "cc"]), max_size=25))
def test_no_word_is_lost_whatever_the_tags(pieces: list[str]) -> None:
    (document,) = read_html(" ".join(pieces).encode(), "x.html")
    check_blocks(document)
    for word in ("aa", "bb", "cc"):
        assert document.text.count(word) == pieces.count(word)
