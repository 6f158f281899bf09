"""The validation part of a source is the asked share of its text, whatever the number of its documents."""

from pathlib import Path

import numpy as np
import pytest

from dragoman.data.doubles import EXACT, KEPT, Parts
from dragoman.stages.shares import Kept, Share, choose_share


def kept(folder: Path, sizes: list[int], gone: tuple[int, ...] = (), blocks: int = 1) -> Kept:
    dice = np.random.default_rng(3)
    folders, counts = [], []
    for number, part in enumerate(np.array_split(np.array(sizes), blocks)):
        place = folder / str(number)
        place.mkdir()
        np.save(place / "pieces.npy", np.stack([np.arange(len(part)), np.cumsum(part)], 1))
        np.save(place / "places.npy", dice.integers(0, 2**64, len(part), np.uint64))
        folders.append(place)
        counts.append(len(part))
    flags = np.full(len(sizes), KEPT, np.uint8)
    flags[list(gone)] = EXACT
    parts = Parts(tuple(folders), np.cumsum([0, *counts]), False)
    return Kept(parts, flags, parts, None)


def test_many_documents_are_drawn_by_their_number(tmp_path: Path) -> None:
    found = choose_share(kept(tmp_path, [10] * 3000, blocks=3), range(3), 0.1)
    assert found == Share(bound=int(0.1 * 2**64))
    places = [int(place) for part in range(3) for place in np.load(tmp_path / str(part) / "places.npy")]
    assert 240 < sum(found.unseen(0, place) for place in places) < 360


@pytest.mark.parametrize("sizes", [[100] * 50, [5000, 10, 10, 10], [1000, 1000, 1], [37], [900, 30, 20, 25, 25]])
def test_few_documents_give_about_the_share_of_bytes(tmp_path: Path, sizes: list[int]) -> None:
    found = choose_share(kept(tmp_path, sizes), [0], 0.1)
    whole = sum(sizes[document] for document in found.named) + found.cut_bytes
    assert 0.05 * sum(sizes) - 1 <= whole <= 0.1 * sum(sizes) + 1
    assert found.cut not in found.named and found.bound == 0


def test_what_is_gone_is_not_chosen(tmp_path: Path) -> None:
    found = choose_share(kept(tmp_path, [10] * 40, gone=tuple(range(20))), [0], 0.2)
    assert len(found.named) == 4 and min(found.named) >= 20
