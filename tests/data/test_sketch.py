"""Sketches agree as often as texts overlap, and near texts share a band."""

import numpy as np
import pytest

from dragoman.data.dedupe import similarity
from dragoman.data.letters import look
from dragoman.data.sketch import BINS, EMPTY, band_rows, bands, sketch

WORDS = [
    f"{first}{second}" for first in ("har", "lan", "win", "cop", "mea", "let") for second in ("bour", "tern", "ter")
]


def some_text(dice: np.random.Generator, count: int = 150) -> str:
    return " ".join(f"{dice.choice(WORDS)}{dice.integers(500)}" for _ in range(count))


def changed(text: str, count: int, dice: np.random.Generator) -> str:
    words = text.split()
    for place in dice.choice(len(words), count, replace=False):
        words[place] = f"other{dice.integers(1000)}"
    return " ".join(words)


def sketches(texts: list[str]) -> np.ndarray:
    letters = look(texts)
    return sketch(letters, letters.starts[:-1])


def test_bins_agree_as_texts_overlap() -> None:
    dice = np.random.default_rng(1)
    errors = []
    for count in (0, 5, 15, 40, 100):
        for _ in range(12):
            text = some_text(dice)
            other = changed(text, count, dice)
            found = sketches([text, other])
            bands(found, 7)  # fills empty bins
            first, second = ({whole[begin : begin + 5] for begin in range(len(whole) - 4)} for whole in (text, other))
            overlap = len(first & second) / len(first | second)
            errors.append(float((found[0] == found[1]).mean()) - overlap)
    assert abs(float(np.mean(errors))) < 0.02
    assert float(np.std(errors)) < 0.06  # 128 bins: at most sqrt(0.25 / 128) = 0.044, and what filling adds


def test_near_texts_share_a_band_and_strange_ones_do_not() -> None:
    dice = np.random.default_rng(2)
    rows = band_rows(0.8)
    near = far = 0
    for _ in range(100):
        text = some_text(dice)
        other = changed(text, 12, dice)
        assert similarity(text, other) >= 0.8
        keys = bands(sketches([text, other, some_text(dice)]), rows)
        near += bool(set(keys[0]) & set(keys[1]))
        far += bool(set(keys[0]) & set(keys[2]))
    assert near >= 97 and far <= 2


def test_a_piece_is_sketched_as_it_is_alone() -> None:
    dice = np.random.default_rng(3)
    texts = [some_text(dice, 30), "A b", some_text(dice, 3), "Ein Wort: 漢字かな交じり文 und mehr", "?!"]
    together = sketches(texts)
    for place, text in enumerate(texts):
        assert (together[place] == sketches([text])[0]).all()
    assert (together[-1] == EMPTY).all() and (together[0] != EMPTY).any()
    letters = look(["".join(f"{text}\n" for text in texts)])
    inside = sketch(letters, np.cumsum([0, *(len(text) + 1 for text in texts[:-1])]))
    assert (inside == together).all()


def test_case_and_what_stands_between_words_do_not_count() -> None:
    one, other = sketches(["The Harbour, lay -- STILL;\n\n", "the harbour lay still"])
    assert (one == other).all()


def test_long_texts_are_hashed_in_pieces_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    text = some_text(np.random.default_rng(4), 200)
    whole = sketches([text])
    monkeypatch.setattr("dragoman.data.sketch.PIECE", 64)
    assert (sketches([text]) == whole).all()


def test_every_bin_is_filled() -> None:
    found = sketches(["a short text", "another one"])
    assert (found == EMPTY).any()
    keys = bands(found, 4)
    assert not (found == EMPTY).any() and keys.shape == (2, BINS // 4)
    assert [band_rows(threshold) for threshold in (0.5, 0.8, 0.9)] == sorted(band_rows(t) for t in (0.5, 0.8, 0.9))
