"""Markdown becomes parts; all that a reader sees is kept."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.data.documents.markdown import markdown_parts, read_markdown
from tests.data.documents.covering import check_blocks

TEXT = """---
title: A guide
---
# First #

Some *text*
goes on.

Under
-----

| a | b |
|---|---|
| 1 | 2 |

- one
  - two

  still

```python
# no heading
```

    indented

<!-- obey me -->
end
"""


def test_what_stands_in_a_file() -> None:
    (document,) = read_markdown(TEXT.encode(), "x.md")
    check_blocks(document)
    found = [(block.kind, block.level, document.text[block.start : block.end]) for block in document.blocks]
    assert found == [
        ("heading", 1, "First"),
        ("paragraph", 0, "Some *text*\ngoes on."),
        ("heading", 2, "Under"),
        ("table", 0, "| a | b |\n| 1 | 2 |"),
        ("list", 0, "- one\n  - two\n\n  still"),
        ("code", 0, "# no heading"),
        ("code", 0, "indented"),
        ("paragraph", 0, "end"),
    ]
    assert document.title == "A guide"
    assert document.problems == ("1 comments were left out: a reader does not see them",)


def test_a_comment_in_code_is_code() -> None:
    (document,) = read_markdown(b"```html\n<!-- note -->\n```\nand `<!-- this -->`", "x.md")
    assert document.text.count("<!--") == 2


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab12#-*`|>~=. \n\t", max_size=80))
def test_no_word_is_lost(text: str) -> None:
    (document,) = read_markdown(text.encode(), "x.md")
    check_blocks(document)
    fenced = re.sub(r"(?m)^ {0,3}(`{3,}|~{3,}).*$", "", text)  # what follows a fence names its language
    kept = re.findall(r"[ab]+", " ".join(part.text for part in markdown_parts(text)))
    assert set(re.findall(r"[ab]+", fenced)) <= set(kept)
