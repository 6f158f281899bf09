"""Characters are told apart as Unicode tells them, many texts at once as one by one."""

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.data.letters import CONTROL, DIGIT, IDEOGRAPH, LETTER, LINE, MARK, OTHER, SPACE, SYMBOL, UNDECODED, look


def test_each_kind() -> None:
    text = "aß7 \t\n漢ไ\u0301\x07\ufeff\ufffd#…!😀\U00020000"
    kinds = look([text]).kinds[:-1].tolist()
    wanted = [LETTER, LETTER, DIGIT, SPACE, SPACE, LINE, IDEOGRAPH, IDEOGRAPH, MARK, CONTROL, CONTROL, UNDECODED]
    assert kinds == [*wanted, SYMBOL, SYMBOL, OTHER, OTHER, IDEOGRAPH]


def test_words_and_counts_stay_with_their_text() -> None:
    letters = look(["two words", "", "one\n", "漢字 x2"])
    assert letters.words().tolist() == [2, 0, 1, 3]
    counts = letters.counts()
    assert counts[:, LETTER].tolist() == [8, 0, 3, 1]
    assert counts[:, LINE].tolist() == [0, 0, 1, 0]
    assert look([]).words().tolist() == [] and look([]).counts().shape == (0, 10)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_many_texts_are_as_one_by_one(texts: list[str]) -> None:
    letters = look(texts)
    for place, text in enumerate(texts):
        alone = look([text])
        assert letters.counts()[place].tolist() == alone.counts()[0].tolist()
        assert letters.words()[place] == alone.words()[0]
        letters_there = sum(unicodedata.category(one)[0] == "L" and ord(one) < 0x10000 for one in text)
        near = alone.counts()[0]
        assert letters_there <= near[LETTER] + near[IDEOGRAPH]
