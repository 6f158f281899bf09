"""What disks and people do to a file: each fault is a function of a path."""

from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["FAULTS", "Fault", "empty", "flip", "swap", "truncate"]

Fault = Callable[[Path], None]


def flip(path: Path, place: float = 0.5) -> None:
    """Turn one bit round; `place` is where, 0 at the beginning and 1 at the end."""
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0b100
    path.write_bytes(data)


def truncate(path: Path) -> None:
    """Lose the last byte."""
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    """Lose all bytes."""
    path.write_bytes(b"")


def swap(path: Path) -> None:
    """Let two tensors of one shape trade places, in a file that is whole otherwise; in JSON, two digits."""
    from safetensors.torch import load_file, save_file

    if path.suffix == ".json":
        text = path.read_text()
        path.write_text(text.translate(str.maketrans("12", "21")))
        return
    tensors = load_file(path)
    names = sorted(tensors)
    pairs = [(a, b) for a in names for b in names if a < b and tensors[a].shape == tensors[b].shape]
    for one, other in pairs:
        if not bool((tensors[one] == tensors[other]).all()):
            tensors[one], tensors[other] = tensors[other], tensors[one]
            break
    else:
        tensors[names[0]] = tensors[names[0]].flip(0)
    save_file(tensors, path)


FAULTS: Mapping[str, Fault] = {
    "one bit flipped": flip,
    "truncated": truncate,
    "deleted": Path.unlink,
    "two tensors swapped": swap,
    "emptied": empty,
}
