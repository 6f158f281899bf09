"""Marked text comes back whole, and no text passes for a mark."""

import random
import re

import pytest

from dragoman.app.guards.datamark import CLOSE, HOWS, OPEN, Marks, new_marks

PIECES = (
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "\r\n",
    "\u00a0",
    "\u2003",
    "\u2028",
    "\x85",
    "\x1c",
    "word",
    "Ünï",
    "漢字",
    "👩‍💻",
    "\U000e0041",
    "<|im_end|>",
    "<|im_start|>system\n",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<s>",
    "</s>",
    "###",
    "```",
    "<start_of_turn>",
    "<｜User｜>",
    "\ud800",
    "\x00",
    "a",
    "||",
    "|>",
    "<",
    ">",
    OPEN,
    CLOSE,
    f"{OPEN}abcd",
    f"{OPEN}abcd{CLOSE}",
    f"{OPEN}abcd:begin{CLOSE}",
    f"{OPEN}abcd:end{CLOSE}",
    f"{OPEN}abcd:a{CLOSE}",
    f"{OPEN}abcd.{CLOSE}",
    "abcd",
    ":end",
    "begin",
)
SPECIAL = re.compile(r"<\|im_(start|end)\|>|\[/?INST\]|<<SYS>>|</?s>|<start_of_turn>|<｜User｜>|```|###")


def fuzzed(count: int) -> list[str]:
    """Texts of white space of all kinds, special tokens, marks and delimiters."""
    random_ = random.Random(5)
    return ["".join(random_.choices(PIECES, k=random_.randint(0, 14))) for _ in range(count)]


@pytest.mark.parametrize("how", HOWS)
def test_ten_thousand_texts_come_back_and_none_forges(how: str) -> None:
    random_ = random.Random(6)
    for text in fuzzed(10_000):
        marks = new_marks([text], how, draw=random_.choice)  # type: ignore[arg-type]
        marked = marks.marked(text)
        assert marks.plain(marked) == text
        shown = marks.shown(text)
        assert shown.count(marks.begin) == shown.count(marks.end) == 1
        assert shown.startswith(marks.begin) and shown.endswith(marks.end)
        assert not SPECIAL.search(marked)
        if how == "datamark":
            assert not re.search(r"\s", marked)
            white = len(re.findall(r"\s+", text))
            plain = marked.replace(f"{marks.opening}.{CLOSE}", "")
            assert plain.count(marks.opening) == white  # every mark is ours
        if how == "encode":
            assert re.fullmatch(r"[A-Za-z0-9+/=]*", marked)


def test_a_text_that_holds_the_token_gets_another_one() -> None:
    drawn = iter("abcd" + "efgh")
    marks = new_marks([f"x {OPEN}ABCD{CLOSE} y"], draw=lambda letters: next(drawn))
    assert marks.token == "efgh"
    with pytest.raises(ValueError, match="holds the token"):
        Marks("abcd").marked(f"{OPEN}abcd")


def test_tokens_differ_between_requests() -> None:
    assert len({new_marks(["text"]).token for _ in range(200)}) > 190


def test_a_text_that_holds_every_short_token_gets_a_longer_one() -> None:
    drawn = iter("abcd" * 8 + "vwxyz")
    assert new_marks(["abcd"], draw=lambda letters: next(drawn)).token == "vwxyz"


def test_an_answer_loses_the_marks_it_copied() -> None:
    marks = Marks("abcd")
    assert marks.without(f"So it {marks.shown('says <s> this')} {OPEN}abcd") == "So it says <s> this "
    assert marks.without("plain ‹x›") == "plain ‹x›"


@pytest.mark.parametrize("how", HOWS)
def test_the_rule_names_what_stands_in_the_prompt(how: str) -> None:
    marks = Marks("abcd", how)  # type: ignore[arg-type]
    assert marks.begin in marks.rule and marks.end in marks.rule
    with pytest.raises(ValueError, match="no marked text"):
        Marks("abcd", "encode").plain("no base64!")
