"""Sentences: where they end in several scripts, where a full stop ends none, and that nothing is lost."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.sentences import split_sentences

CASES = {
    "plain": ["It rained.", "We stayed in!", "Why?", "Nobody knew."],
    "titles and abbreviations": ["Dr. Smith met Mrs. Jones at St. Mary's, e.g. on Fridays.", "They spoke."],
    "initials": ["J. R. R. Tolkien wrote it.", "G. W. Leibniz did not."],
    "an initial at the end": ["It contains vitamin C.", "The rest is sugar."],
    "decimals": ["It cost 3.14 dollars, or .5 of a pound.", "Version 2.0.1 came later."],
    "may end": ["He sold pens, ink, etc. in the market.", "She sold paper, glue, etc.", "The shop closed."],
    "countries": ["The U.S. Army moved.", "He lived in the U.S.", "He liked it."],
    "numbered": ["See Fig. 3 and No. 7 on pp. 12 of vol. 2.", "Nothing else."],
    "quotes": ['"Is it so?" he asked.', "“It is.”", "They left (early.)", "Then it rained."],
    "notes": ["It was so.[12]", "Later it was not.[3][4]", "Why?"],
    "German": ["Am 3. Oktober kam Hr. Weber, z.B. um 9 Uhr.", "Das war spät.", "Er ging."],
    "French": ["M. Dupont est arrivé.", "Il a dit « non »."],
    "Spanish": ["¿Qué hora es?", "¡Es tarde!", "El Sr. García salió."],
    "Russian": ["Он пришёл.", "Почему?", "Никто не знает."],
    "Arabic": ["هل جاء؟", "نعم جاء.", "ثم ذهب."],
    "Urdu": ["وہ آیا۔", "وہ گیا۔"],
    "Hindi": ["वह आया।", "क्या हुआ?", "कुछ नहीं।"],
    "an ellipsis": ["Well... perhaps.", "So it ended...", "Nobody came."],
    "cut into words": ["the wing stalls .", "the flow is laminar ."],
    "no capitals": ["it rained.", "we stayed in.", "e.g. at home."],
}


@pytest.mark.parametrize("name", CASES)
def test_sentences_end_where_a_reader_would_end_them(name: str) -> None:
    wanted = CASES[name]
    text = " ".join(wanted)
    assert [text[start:end] for start, end in split_sentences(text)] == wanted


def test_scripts_without_spaces_need_none() -> None:
    text = "今天下雨。我们在家！为什么？「不知道。」他说。"
    parts = [text[start:end] for start, end in split_sentences(text)]
    assert parts == ["今天下雨。", "我们在家！", "为什么？", "「不知道。」", "他说。"]
    quoted = "彼は「行く。」と言った。そして行った。"
    assert [quoted[start:end] for start, end in split_sentences(quoted)] == [
        "彼は「行く。」と言った。",
        "そして行った。",
    ]


def test_lists_and_blank_lines_end_sentences_and_soft_line_ends_do_not() -> None:
    text = "A heading\n\nThe first line\ngoes on. Then:\n- one\n- two\n1. First thing\n2. Second thing"
    parts = [text[start:end] for start, end in split_sentences(text)]
    assert parts == [
        "A heading",
        "The first line\ngoes on.",
        "Then:",
        "- one",
        "- two",
        "1. First thing",
        "2. Second thing",
    ]


def test_addresses_and_files_are_no_ends() -> None:
    text = "Read www.example.org/a.b?c=d and write to x.y@example.org or main.py. Then stop."
    assert len(split_sentences(text)) == 2


def test_nothing_gives_nothing() -> None:
    assert split_sentences("") == split_sentences(" \n\t ") == []


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("aB1 .!?\n\t\"')[]-。」と।؟…eg\u200b\x1c")), max_size=60) | st.text())
def test_only_white_space_is_left_out(text: str) -> None:
    spans = split_sentences(text)
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    for start, end in spans:
        assert text[start:end] == text[start:end].strip() != ""
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
