"""Pieces of documents: nothing is lost, offsets are exact, headings bound them, what fits is kept whole."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.documents import Block, Chunk, Document, Kind
from dragoman.core.errors import UserError
from dragoman.data.chunk import Cutting, count_tokens, cut

KINDS: tuple[Kind, ...] = ("title", "heading", "paragraph", "list", "table", "code", "caption")
LETTERS = st.text(alphabet=st.sampled_from(list("aB1 .\n\t-@#)|。é\u0301\u200b")), max_size=50) | st.text(max_size=30)


def words(text: str) -> int:
    return len(text.split())


def written(*parts: tuple[Kind, str, int], title: str = "", between: str = "\n\n") -> Document:
    """A document of blocks of the given kinds, texts and levels."""
    text, blocks = "", list[Block]()
    for kind, body, level in parts:
        text += between if text else ""
        blocks.append(Block(len(text), len(text) + len(body), kind, level, page=len(blocks) + 1))
        text += body
    return Document("a.md", text, tuple(blocks), title=title)


def sentence(first: int, count: int) -> str:
    return " ".join(["Word", *(f"w{number}" for number in range(first, first + count - 1))]) + "."


def whole(document: Document, chunks: tuple[Chunk, ...]) -> str:
    """The pieces joined, without what one repeats of the one before, without white space."""
    found, done = "", 0
    for chunk in chunks:
        if not chunk.is_parent:
            found += document.text[max(done, chunk.start) : chunk.end]
            done = chunk.end
    return "".join(found.split())


@settings(max_examples=250, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), LETTERS, st.integers(0, 3)), max_size=8),
    st.integers(1, 12),
    st.sampled_from((0.0, 0.1, 0.3, 0.5)),
    st.booleans(),
    st.sampled_from((words, count_tokens, len)),
    st.booleans(),
)
def test_pieces_are_the_document(parts, tokens, overlap, parents, counter, blocks) -> None:  # type: ignore[no-untyped-def]
    document = written(*parts, title="A title")
    if not blocks:
        document = Document("a.txt" if tokens % 2 else "a.py", document.text)
    chunks = cut(document, Cutting(tokens, overlap, 3 * tokens if parents else 0, counter))
    assert whole(document, chunks) == "".join(document.text.split())
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    for chunk in chunks:
        assert chunk.text == document.text[chunk.start : chunk.end] == chunk.text.strip() != ""
    searched = [chunk for chunk in chunks if not chunk.is_parent]
    for before, after in itertools.pairwise(searched):
        assert before.start < after.start and before.end < after.end
    for chunk in searched:
        if chunk.parent >= 0:
            around = chunks[chunk.parent]
            assert around.is_parent and around.start <= chunk.start and chunk.end <= around.end
            assert chunk.path[: len(around.path)] == around.path


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), LETTERS, st.integers(0, 3)), max_size=6), st.integers(4, 30))
def test_no_piece_is_larger_than_asked(parts, tokens) -> None:  # type: ignore[no-untyped-def]
    document = written(*parts)
    for chunk in cut(document, Cutting(tokens, 0.3, counter=words)):
        assert words(chunk.text) <= tokens


def test_headings_bound_pieces_and_are_carried() -> None:
    document = written(
        ("title", "The Manual", 0),
        ("paragraph", "What it is.", 0),
        ("heading", "Setting up", 1),
        ("heading", "On Linux", 2),
        ("paragraph", "Type make.", 0),
        ("heading", "On Windows", 2),
        ("paragraph", "Click.", 0),
        ("heading", "Use", 1),
        ("paragraph", "Run it.", 0),
        title="The Manual",
    )
    chunks = cut(document, Cutting(50, counter=words))
    assert [(chunk.path, chunk.text, chunk.page) for chunk in chunks] == [
        (("The Manual",), "The Manual\n\nWhat it is.", 1),
        (("The Manual", "Setting up", "On Linux"), "Setting up\n\nOn Linux\n\nType make.", 3),
        (("The Manual", "Setting up", "On Windows"), "On Windows\n\nClick.", 6),
        (("The Manual", "Use"), "Use\n\nRun it.", 8),
    ]
    assert chunks[2].embedded == "The Manual > Setting up > On Windows\nOn Windows\n\nClick."


def test_paragraphs_that_fit_are_kept_whole() -> None:
    texts = [sentence(0, 6) + " " + sentence(10, 6), sentence(20, 12), sentence(40, 5)]
    document = written(*(("paragraph", text, 0) for text in texts))
    chunks = cut(document, Cutting(20, 0.0, counter=words))
    assert [chunk.text for chunk in chunks] == [texts[0], texts[1] + "\n\n" + texts[2]]


def test_what_does_not_fit_is_cut_at_sentences_and_repeats_whole_ones() -> None:
    sentences = [sentence(10 * number, 5) for number in range(6)]
    document = written(("paragraph", " ".join(sentences), 0))
    chunks = cut(document, Cutting(20, 0.25, counter=words))
    assert [chunk.text for chunk in chunks] == [" ".join(sentences[:4]), " ".join(sentences[3:])]


def test_a_long_sentence_is_cut_between_words_and_a_long_word_between_characters() -> None:
    document = written(("paragraph", " ".join(f"w{number}" for number in range(40)), 0))
    chunks = cut(document, Cutting(12, 0.0, counter=words))
    assert all(8 <= words(chunk.text) <= 12 for chunk in chunks)
    accents = written(("paragraph", "e\u0301" * 20, 0))
    for chunk in cut(accents, Cutting(7, 0.0, counter=len)):
        assert chunk.text.startswith("e") and chunk.text.endswith("\u0301")


def test_a_heading_does_not_stand_alone_where_its_text_is_long() -> None:
    document = written(("heading", "Two words", 1), ("paragraph", " ".join(sentence(0, 5) for _ in range(4)), 0))
    chunks = cut(document, Cutting(20, 0.0, counter=words))
    assert [words(chunk.text) for chunk in chunks] == [17, 5]


def test_tables_and_lists_are_whole_or_cut_by_lines() -> None:
    table = "\n".join(f"| row {number} | b |" for number in range(6))
    document = written(("paragraph", sentence(0, 9), 0), ("table", table, 0))
    assert cut(document, Cutting(36, 0.0, counter=words))[1].text == table
    pieces = cut(document, Cutting(12, 0.5, counter=words))
    assert [chunk.text.count("\n") for chunk in pieces[1:]] == [1, 1, 1]  # and a table's lines are not repeated
    assert "\n".join(chunk.text for chunk in pieces[1:]) == table


CODE = '''"""What it does."""
import os

LIMIT = 3


# Adds two.
@cached
def add(a, b):
    # slowly
    return (
        a + b
    )


class Thing:
    """A thing."""

    def first(self):
        return 1

    def second(self):
        if self:
            return 2
        else:
            return 3
'''


def test_code_is_cut_in_front_of_definitions() -> None:
    document = Document("a.py", CODE)
    assert len(cut(document, Cutting(100, counter=words))) == 1
    chunks = cut(document, Cutting(16, 0.5, counter=words))
    assert [chunk.text.splitlines()[0] for chunk in chunks] == [
        '"""What it does."""',
        "# Adds two.",
        "class Thing:",
        "def second(self):",
    ]
    assert chunks[1].text.endswith("a + b\n    )")
    braces = "int main() {\n  f(1);\n}\n\n// Twice.\nint f(int x)\n{\n  return 2 * x;\n}\n"
    assert [chunk.text[:9] for chunk in cut(Document("a.c", braces), Cutting(11, counter=words))] == [
        "int main(",
        "// Twice.",
    ]


def test_larger_pieces_stand_around_small_ones() -> None:
    parts: list[tuple[Kind, str, int]] = []
    for number in range(4):
        parts += [("heading", f"Part {number}", 1), ("paragraph", sentence(0, 8) + " " + sentence(9, 8), 0)]
    document = written(*parts, title="All")
    chunks = cut(document, Cutting(10, 0.0, 40, words))
    parents = [chunk for chunk in chunks if chunk.is_parent]
    assert [(chunk.path, words(chunk.text)) for chunk in parents] == [(("All",), 36), (("All",), 36)]
    assert [chunk.parent for chunk in chunks] == [-1, 0, 0, 0, 0, -1, 5, 5, 5, 5]
    assert not any(chunk.is_parent for chunk in cut(written(parts[1]), Cutting(20, 0.0, 40, words)))


def test_what_documents_carry_is_on_every_piece() -> None:
    document = Document("a.txt", "One.\n\nTwo.", meta={"year": 1}, access=frozenset({"us"}))
    chunks = cut(document, Cutting(1, counter=words))
    assert len(chunks) == 2 and all(chunk.meta == {"year": 1} and chunk.access == {"us"} for chunk in chunks)
    assert cut(Document("a.txt", " \n ")) == ()


def test_sizes_that_cannot_be_are_named() -> None:
    for wrong in ({"tokens": 0}, {"overlap": 0.9}, {"parents": 100}):
        with pytest.raises(UserError) as caught:
            Cutting(**wrong)
        assert caught.value.hint


def test_answers_lie_inside_pieces(shared_data: Path) -> None:
    articles = json.loads((shared_data / "qa/xquad.en.json").read_text())["data"]
    inside = total = 0
    for article in articles[:12]:
        for paragraph in article["paragraphs"]:
            chunks = cut(Document("a.txt", paragraph["context"]), Cutting(150))
            for asked in paragraph["qas"]:
                start = asked["answers"][0]["answer_start"]
                end = start + len(asked["answers"][0]["text"])
                inside += any(chunk.start <= start and end <= chunk.end for chunk in chunks)
                total += 1
    assert inside == total > 200
