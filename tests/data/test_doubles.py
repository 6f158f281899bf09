"""Documents and paragraphs that stand twice are found across parts, the first stays, and none is found by mistake."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dragoman.data import doubles
from dragoman.data.dedupe import near, similarity
from dragoman.data.doubles import (
    EXACT,
    GONE,
    KEPT,
    NEAR,
    Parts,
    alike,
    flag_exact,
    flag_near,
    flag_pieces_of,
    new_flags,
)
from dragoman.data.refine import Rules, refine
from tests.data.test_sketch import changed, some_text

RULES = Rules(paragraph=200)


def compare(tasks: Iterable[Any]) -> Iterator[Any]:
    for task in tasks:
        yield task, alike(task)


def parts(folder: Path, blocks: list[list[str]], pieces: bool = False, rules: Rules = RULES) -> Parts:
    folders, counts = [], []
    for number, texts in enumerate(blocks):
        place = folder / f"part-{number}"
        if not place.exists():
            place.mkdir()
            refine(texts, rules, place)
        folders.append(place)
        counts.append(len(np.load(place / ("pieces.npy" if pieces else "ends.npy"))))
    return Parts(tuple(folders), np.cumsum([0, *counts]), pieces)


def flagged(folder: Path, blocks: list[list[str]], threshold: float = 0.8) -> list[int]:
    found = parts(folder, blocks)
    flags = new_flags(folder / "flags", found.count)
    flag_exact(found, "documents", flags)
    flag_near(found, "documents-near", flags, folder, compare, threshold)
    assert not list(folder.glob("pairs*"))
    return flags.tolist()


def test_the_first_of_doubles_stays_whatever_the_parts(tmp_path: Path) -> None:
    dice = np.random.default_rng(5)
    one, two, three = (some_text(dice) for _ in range(3))
    texts = [one, two, one.upper(), changed(two, 8, dice), three, one, changed(one, 70, dice)]
    wanted = [KEPT, KEPT, EXACT, NEAR, KEPT, EXACT, KEPT]
    for number, blocks in enumerate(([texts], [texts[:3], texts[3:]], [[text] for text in texts])):
        (tmp_path / str(number)).mkdir()
        assert flagged(tmp_path / str(number), blocks) == wanted


def test_ranges_of_keys_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = np.random.default_rng(6)
    texts = [some_text(dice, 60) for _ in range(30)]
    texts += [changed(text, 3, dice) for text in texts[:10]] + texts[5:8]
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    whole = flagged(tmp_path / "one", [texts[:20], texts[20:]])
    monkeypatch.setattr(doubles, "RANGE", 16)
    assert flagged(tmp_path / "many", [texts[:20], texts[20:]]) == whole
    assert whole.count(NEAR) == 10 and whole.count(EXACT) == 3


def test_it_finds_what_the_comparison_of_all_finds(tmp_path: Path) -> None:
    dice = np.random.default_rng(7)
    texts = []
    for _ in range(40):
        text = some_text(dice, 80)
        texts += [text, changed(text, int(dice.integers(0, 30)), dice)]
    flags = flagged(tmp_path, [texts[:33], texts[33:]])
    kept: list[str] = []
    wanted = []
    for text in texts:
        wanted.append(any(similarity(text, other) >= 0.8 for other in kept))
        kept += [] if wanted[-1] else [text]
    ours = [flag != KEPT for flag in flags]
    assert sum(one != other for one, other in zip(ours, wanted, strict=True)) <= 1  # banding may miss 2 in 100
    assert len(near(texts, 0.8)) >= sum(ours) - 1


def test_paragraphs_of_earlier_documents_go_and_refrains_stay(tmp_path: Path) -> None:
    dice = np.random.default_rng(8)
    shared, refrain, own = (some_text(dice, 40) + "\n\n" for _ in range(3))
    blocks = [[f"{shared}{refrain}{refrain}{own}"], [f"{changed(shared, 1, dice)}\n\nA short end.", f"{own}{refrain}x"]]
    documents, pieces = parts(tmp_path, blocks), parts(tmp_path, blocks, pieces=True)
    gone = np.zeros(documents.count, np.uint8)
    flags = new_flags(tmp_path / "pieces", pieces.count)
    flag_pieces_of(pieces, documents, flags, gone)
    flag_exact(pieces, "paragraphs", flags, documents)
    flag_near(pieces, "paragraphs-near", flags, tmp_path, compare, 0.8, documents)
    assert flags.tolist() == [KEPT] * 4 + [NEAR, KEPT, EXACT, EXACT, KEPT]
    assert pieces.text(5) == "A short end." and pieces.text(0) == shared
    gone[0] = EXACT  # what stands in a document that went is no first of anything
    flag_pieces_of(pieces, documents, flags, gone)
    flag_exact(pieces, "paragraphs", flags, documents)
    assert flags.tolist() == [GONE] * 4 + [KEPT] * 5


def test_nothing_is_compared_of_nothing(tmp_path: Path) -> None:
    assert flagged(tmp_path, [[" "], ["one text of some words", "?! " * 9]]) == [KEPT]
