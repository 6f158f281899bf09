"""Vectors of texts from their letters."""

import numpy as np
import pytest

from dragoman.app.ngrams import Ngrams


def cosine(one: str, other: str) -> float:
    first, second = Ngrams().embed([one, other])
    return float(first @ second)


def test_unit_vectors_the_same_on_every_machine() -> None:
    found = Ngrams(64).embed(["The cat", "the  cat!", "", "...", "Ünïcode çat"])
    assert found.shape == (5, 64) and found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1, 0, 0, 1], abs=1e-6)
    assert np.array_equal(found[0], found[1])
    places = np.flatnonzero(Ngrams(1024).embed(["cat"])[0]).tolist()
    assert places == [63, 600, 936]  # CRC-32 of "at ", " ca" and "cat", the word and the letters, in 1,024 places
    assert Ngrams().embed([]).shape == (0, 1024)


def test_texts_that_share_words_and_parts_of_words_are_near() -> None:
    base = "how do I open a bank account"
    assert cosine(base, "opening an account at the bank") > cosine(base, "the weather in June") + 0.2
    assert cosine("running quickly", "he runs") > cosine("running quickly", "she sits")
    assert cosine("a a a a a a a a b c", "b c") > 0.4  # one word said often is not all that counts
