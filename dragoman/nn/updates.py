"""What adapters add to the matrices of a shared net: one update for a whole batch, or one for each row of it."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from dragoman.nn.attention import Attention
from dragoman.nn.blocks import FeedForward

__all__ = ["Choice", "Update", "Updated", "UpdatedByRow", "fused", "graft", "stack_updates"]


@dataclass(frozen=True)
class Update:
    """B A of one matrix (LoRA, Hu et al. 2021), the scale multiplied into B."""

    down: Float[Tensor, "r i"]
    up: Float[Tensor, "o r"]


@dataclass
class Choice:
    """Which adapter each row of a batch that is being written uses. Rows that are over go, and rows are taken twice."""

    rows: Int[Tensor, " b"]

    def keep(self, rows: Int[Tensor, "kept"]) -> None:
        """Go on with these rows alone, in this order."""
        self.rows = self.rows[rows]


class Updated(nn.Module):
    """A linear layer, of whatever kind, and one update for all that it reads."""

    def __init__(self, whole: nn.Module, update: Update) -> None:
        super().__init__()
        self.whole = whole
        self.down, self.up = update.down, update.up

    def forward(self, states: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """W x + B A x."""
        said: Tensor = self.whole(states)  # [..., o]
        return said + functional.linear(functional.linear(states, self.down), self.up)


class UpdatedByRow(nn.Module):
    """The same with an update for each row of the batch, chosen by its number among `downs` and `ups`.

    Every row's product has the same shape whatever the other rows use, so that its numbers are the same to the bit.
    """

    def __init__(
        self, whole: nn.Module, downs: Float[Tensor, "n r i"], ups: Float[Tensor, "n o r"], choice: Choice
    ) -> None:
        super().__init__()
        self.whole = whole
        self.choice = choice
        self._downs, self._ups = downs, ups
        self._rows: Tensor | None = None
        self._down, self._up = downs, ups

    def forward(self, states: Float[Tensor, "b *s i"]) -> Float[Tensor, "b *s o"]:
        """W x + B A x with the B and A of each row."""
        said: Tensor = self.whole(states)  # [b, ..., o]
        if self._rows is not self.choice.rows:  # gathered once, until rows go
            self._rows = self.choice.rows
            self._down = self._downs[self._rows].transpose(1, 2)  # [b, i, r]
            self._up = self._ups[self._rows].transpose(1, 2)  # [b, r, o]
        several = states if states.dim() == 3 else states[:, None]  # [b, s, i]
        learnt = torch.bmm(torch.bmm(several, self._down), self._up)  # [b, s, o]
        return said + learnt.view(said.shape)


def stack_updates(
    updates: Sequence[Update | None], rank: int
) -> tuple[Float[Tensor, "n r i"], Float[Tensor, "n o r"]] | None:
    """Updates of one matrix as two tensors, thin ones filled up with zeros to `rank`, and none all zeros.

    None where there is not one among them.
    """
    some = [update for update in updates if update is not None]
    if not some:
        return None
    downs = some[0].down.new_zeros(len(updates), rank, some[0].down.shape[1])  # [n, r, i]
    ups = some[0].up.new_zeros(len(updates), some[0].up.shape[0], rank)  # [n, o, r]
    for number, update in enumerate(updates):
        if update is not None:
            downs[number, : len(update.down)] = update.down
            ups[number, :, : len(update.down)] = update.up
    return downs, ups


def fused(net: nn.Module, updates: Mapping[str, Update]) -> dict[str, Update]:
    """Updates of matrices by the names of the modules that hold them in a net that was laid out for answering.

    Where query, key and value, or the gate and the way up, became one matrix, their updates become one as well: A under
    A, and each B in its own rows.
    """
    found: dict[str, Update] = {}
    joined: dict[str, dict[str, Update]] = {}
    for name, update in updates.items():
        place, _, last = name.rpartition(".")
        owner = net.get_submodule(place)
        if last in _joint_parts(owner):
            joined.setdefault(place, {})[last] = update
        else:
            found[name] = update
    for place, parts in joined.items():
        sizes = _joint_parts(net.get_submodule(place))
        down = torch.cat([parts[name].down for name in sizes if name in parts])  # [r, i]
        up = down.new_zeros(sum(sizes.values()), len(down))  # [o, r]
        row = column = 0
        for name, size in sizes.items():
            if name in parts:
                wide = parts[name].up.shape[1]
                up[row : row + size, column : column + wide] = parts[name].up
                column += wide
            row += size
        found[f"{place}.joint"] = Update(down, up)
    return found


def _joint_parts(owner: nn.Module) -> dict[str, int]:
    """The matrices that a module has made one of, in the order of its rows, with how many rows each has."""
    if isinstance(owner, Attention) and owner.joint is not None:
        groups = owner.groups * owner.size
        return {"query": owner.heads * owner.size, "key": groups, "value": groups}
    if isinstance(owner, FeedForward) and owner.joint is not None:
        half = int(owner.joint.out_features) // 2  # type: ignore[arg-type]
        return {"gate": half, "up": half}
    return {}


def graft(net: nn.Module, modules: Mapping[str, nn.Module]) -> nn.Module:
    """A net that has other modules in some places and shares all the rest with this one, which stays as it is."""
    twin = copy.copy(net)
    twin._modules = dict(net._modules)
    inside: dict[str, dict[str, nn.Module]] = {}
    for name, module in modules.items():
        first, _, rest = name.partition(".")
        if rest:
            inside.setdefault(first, {})[rest] = module
        else:
            twin._modules[first] = module
    for first, deeper in inside.items():
        child = net._modules[first]
        assert child is not None
        twin._modules[first] = graft(child, deeper)
    return twin
