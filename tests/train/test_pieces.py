"""Rows come back whatever files they lie in, and only those that are asked for."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dragoman.train.pieces import HEAD, held, opened, rows_of, save_pieces
from dragoman.train.world import World, alone

WHOLE = torch.arange(21.0).reshape(7, 3)


def cut(folder: Path, *ends: int) -> None:
    """WHOLE in as many files as there are ends, the first also with a scalar."""
    start = 0
    for place, end in enumerate(ends):
        own = folder / f"process-{place:05d}" if place else folder
        own.mkdir(exist_ok=True)
        kept, head = {"a": WHOLE[start:end].clone()}, {"a": [start, [7, 3]]}
        if not place:
            kept["step"], head["step"] = torch.tensor(4.0), [0, []]
        save_file(kept, own / "weights.safetensors", {HEAD: json.dumps(head)})
        start = end


@pytest.mark.parametrize("ends", [(7,), (4, 7), (2, 4, 6, 7), (0, 7)])
def test_rows_across_files(tmp_path: Path, ends: tuple[int, ...]) -> None:
    cut(tmp_path, *ends)
    with opened(tmp_path, "weights") as pieces:
        assert pieces.shapes == {"a": (7, 3), "step": ()}
        for start in range(8):
            for stop in range(start, 8):
                found = pieces.read("a", start, stop)
                assert torch.equal(found, WHOLE[start:stop])
                assert found.shape == (stop - start, 3)
        assert float(pieces.read("step")) == 4.0
        into = torch.zeros(7, 3)
        pieces.copy("a", into)
        assert torch.equal(into, WHOLE)
        assert torch.equal(pieces.like("a", into), WHOLE)
        assert pieces.like("step", into).shape == ()


def test_a_missing_file_is_no_smaller_tensor(tmp_path: Path) -> None:
    cut(tmp_path, 2, 4, 7)
    (tmp_path / "process-00001" / "weights.safetensors").unlink()
    with opened(tmp_path, "weights") as pieces:
        with pytest.raises(ValueError, match=r"hold 5 of the rows 0\.\.7 of a"):
            pieces.read("a")
        assert torch.equal(pieces.read("a", 4, 6), WHOLE[4:6])


def test_one_process_writes_plain_files(tmp_path: Path) -> None:
    save_pieces(tmp_path, "average", {"a": WHOLE, "b": torch.tensor(1.0)}, alone())
    assert load_file(tmp_path / "average.safetensors").keys() == {"a", "b"}
    with opened(tmp_path, "average") as pieces:
        assert torch.equal(pieces.read("a"), WHOLE)
    with opened(tmp_path, "weights") as none:
        assert none.shapes == {}


def test_what_all_have_is_written_once(tmp_path: Path) -> None:
    save_pieces(tmp_path, "optimizer", {"step/a": torch.tensor(3.0)}, World(1, 2))
    assert load_file(tmp_path / "optimizer.safetensors") == {}
    assert held(WHOLE) is WHOLE
    assert rows_of(WHOLE) == (0, 7)
    assert rows_of(torch.tensor(1.0)) == (0, 1)
