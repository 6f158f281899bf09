"""Words and their first tokens, whatever stands in a word, and windows in which each word stands once."""

import time
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.words import read_words, words_of
from tests.nn.tiny import FAMILIES, tokenizer

TEXTS = ["the cats sat [SEP] on  the mat", "", "a \u200d dog", "The caf\u00e9 [PAD]ran!", " the", "the\u00a0cat sat"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_is_read_as_its_tokens(family: str, tmp_path: Path) -> None:
    tokens = tokenizer(family, tmp_path)
    for text, windows in zip(TEXTS, read_words(tokens, TEXTS, 99), strict=True):
        assert [list(window.ids) for window in windows] == tokens.encode([text], 99)


def test_the_first_token_of_each_word_is_known(tmp_path: Path) -> None:
    tokens = tokenizer("bert", tmp_path)
    texts = ["the cats sat [SEP] on  the mat", "a \u200d dog"]
    (sentence,), (hidden,) = read_words(tokens, texts, 99)
    assert tokens.tokens([sentence.ids[place] for place in sentence.places]) == [
        *("the", "cat", "sat", "[", "on", "the", "mat"),
    ]
    assert sentence.words == (0, 1, 2, 3, 4, 6, 7)  # word 5 is empty: two spaces
    assert words_of(texts[1]) == ["a", "\u200d", "dog"]
    assert hidden.words == (0, 2)  # a joiner alone gives no token


def test_byte_pairs_keep_their_space_and_their_word(tmp_path: Path) -> None:
    tokens = tokenizer("roberta", tmp_path)
    ((reading,),) = read_words(tokens, ["the the cat"], 99)
    assert reading.words == (0, 1, 2)
    assert tokens.tokens([reading.ids[place] for place in reading.places[:2]]) == ["the", "\u0120the"]
    assert "".join(tokens.tokens(reading.ids[reading.places[2] : -1])).strip("\u0120") == "cat"


def test_a_long_text_is_read_in_windows(tmp_path: Path) -> None:
    tokens = tokenizer("bert", tmp_path)
    text = " ".join(["the cats ran", "a dog sat"] * 9)
    (windows,) = read_words(tokens, [text], 12)
    assert len(windows) > 3
    assert all(len(window.ids) <= 12 and window.ids[0] == 2 and window.ids[-1] == 3 for window in windows)
    assert [word for window in windows for word in window.words] == list(range(len(words_of(text))))
    firsts = [tokens.tokens([window.ids[place]])[0] for window in windows for place in window.places]
    assert firsts == ["the", "cat", "ran", "a", "dog", "sat"] * 9


def test_many_windows_cost_no_more_than_their_words(tmp_path: Path) -> None:
    """60,000 words in 4,500 windows: walked once, not once a window (which took 14 s)."""
    text = " ".join(["the cat"] * 30_000)
    tokens = tokenizer("bert", tmp_path)
    begun = time.process_time()
    tokens.locate([text])
    cut = time.process_time() - begun
    begun = time.process_time()
    (windows,) = read_words(tokens, [text], 24)
    assert [word for window in windows for word in window.words] == list(range(60_000))
    assert time.process_time() - begun < 5 * cut + 1.0


def test_no_room_for_a_word(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no room for a word"):
        read_words(tokenizer("bert", tmp_path), ["the"], 2)
