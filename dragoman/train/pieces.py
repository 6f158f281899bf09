"""Tensors of which each process holds some rows, on the disk: each writes its own, any number reads them back.

A file holds rows under their tensor's name; its header says from which row on, and the whole shape. What several
processes wrote lies in folders of their own (see staging). Safetensors alone: what torch offers for this is a pickle.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from dragoman.train.world import World

__all__ = ["Pieces", "held", "opened", "rows_of", "save_pieces"]

HEAD = "rows"


def held(tensor: Tensor) -> Tensor:
    """The numbers this process holds; what is written there is written in the tensor."""
    part: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return part


def rows_of(tensor: Tensor) -> tuple[int, int]:
    """From which row of the whole to which this process holds a tensor: FSDP2 deals rows out as torch.chunk does."""
    if not hasattr(tensor, "device_mesh"):
        return 0, len(tensor) if tensor.ndim else 1
    mesh = tensor.device_mesh
    share = -(-tensor.shape[0] // mesh.size())
    start = min(mesh.get_local_rank() * share, tensor.shape[0])
    return start, start + len(held(tensor))


def save_pieces(folder: Path, kind: str, tensors: Mapping[str, Tensor], world: World) -> None:
    """Write KIND.safetensors: what this process holds; what every process has whole is written by the first alone."""
    kept, head = {}, {}
    for name, tensor in tensors.items():
        part = held(tensor.detach())
        if world.first or (hasattr(tensor, "device_mesh") and part.numel()):
            kept[name] = part.cpu().contiguous()
            head[name] = [rows_of(tensor)[0], list(tensor.shape)]
    save_file(kept, folder / f"{kind}.safetensors", {HEAD: json.dumps(head)} if world.sharded else None)


@dataclass(frozen=True)
class _Piece:
    """Some rows of a tensor in an open file."""

    file: Any
    start: int
    stop: int


@dataclass(frozen=True)
class Pieces:
    """The tensors of all files of a kind; nothing of them is read until it is asked for."""

    shapes: Mapping[str, tuple[int, ...]]
    "the whole shape of each tensor by its name"
    _found: Mapping[str, list[_Piece]]

    def read(self, name: str, start: int = 0, stop: int | None = None) -> Tensor:
        """Rows start..stop of a tensor, on the CPU. Raises ValueError where the files do not hold all of them."""
        shape, pieces = self.shapes[name], self._found[name]
        if not shape:
            scalar: Tensor = pieces[0].file.get_tensor(name)
            return scalar
        stop = shape[0] if stop is None else stop
        parts: list[Tensor] = []
        for piece in sorted(pieces, key=lambda one: one.start):
            low, high = max(start, piece.start) - piece.start, min(stop, piece.stop) - piece.start
            if low < high or not parts:  # the first one even where it is empty: it knows the dtype
                parts.append(piece.file.get_slice(name)[low : max(low, high)])
        found = torch.cat(parts)
        if len(found) != stop - start:
            raise ValueError(f"the files hold {len(found)} of the rows {start}..{stop} of {name}")
        return found

    def like(self, name: str, weight: Tensor) -> Tensor:
        """A tensor where `weight` is, and shared out as it is where it has the same shape; whole where it has not."""
        if not hasattr(weight, "device_mesh") or self.shapes[name] != tuple(weight.shape):
            return self.read(name).to(weight.device)
        from torch.distributed.tensor import DTensor

        assert isinstance(weight, DTensor)
        part = self.read(name, *rows_of(weight)).to(weight.device)
        return DTensor.from_local(
            part, weight.device_mesh, weight.placements, run_check=False, shape=weight.shape, stride=weight.stride()
        )

    def copy(self, name: str, into: Tensor) -> None:
        """Put the numbers into what this process holds of a tensor of the same shape."""
        held(into).copy_(self.read(name, *rows_of(into)))


@contextlib.contextmanager
def opened(folder: Path, kind: str) -> Iterator[Pieces]:
    """All files of a kind in a folder and those in it, open while the block runs; none is an empty set of tensors."""
    shapes: dict[str, tuple[int, ...]] = {}
    found: dict[str, list[_Piece]] = {}
    with contextlib.ExitStack() as stack:
        for path in sorted(folder.rglob(f"{kind}.safetensors")):
            file = stack.enter_context(safe_open(path, framework="pt"))
            head = json.loads((file.metadata() or {}).get(HEAD, "{}"))
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                own = tuple(file.get_slice(name).get_shape())
                start, shape = head.get(name, (0, own))
                shapes[name] = tuple(shape)
                found.setdefault(name, []).append(_Piece(file, start, start + (own[0] if own else 1)))
        yield Pieces(shapes, found)
