"""Our names of a language model's tensors and the published ones, both ways: split, turned and tied as they stand."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.family import Language

__all__ = ["Published", "from_published", "pairs", "short_name", "to_published"]

_BELONG = "give a folder whose config.json was published with these weights in models.candidates"
_NUMBER = re.compile(r"\.(\d+)\.")


@dataclass(frozen=True)
class Published:
    """One published tensor and what it is here: one parameter of ours, or several whose rows are stacked in it."""

    name: str
    ours: tuple[str, ...]
    turned: bool = False
    "whether it stands [in, out]"
    lifted: bool = False
    "whether it has one more dimension in front"


def pairs(net: nn.Module, arch: Arch, language: Language) -> list[Published]:
    """Every parameter of a net under its published name; tied ones once. Raises ValueError where one has no name."""
    found: dict[str, Published] = {}
    for ours, _ in net.named_parameters():  # a shared parameter comes once, under its first name
        number = _NUMBER.search(ours)
        template = _NUMBER.sub(".{n}.", ours, count=1)
        module, _, leaf = template.rpartition(".")
        theirs = _theirs(template, module, leaf, arch, language)
        if theirs is None:
            raise ValueError(f"{ours} has no published name in {arch.family}: merge the tuning before saving")
        name = theirs.replace("{n}", number[1]) if number else theirs
        before = found[name].ours if name in found else ()
        turned = leaf == "weight" and module in language.turned
        found[name] = Published(name, (*before, ours), turned, template in language.lifted)
    return list(found.values())


def _theirs(template: str, module: str, leaf: str, arch: Arch, language: Language) -> str | None:
    if template in language.modules:
        return language.modules[template]
    names = language.modules if arch.gated else {**language.modules, **language.ungated}
    return f"{names[module]}.{leaf}" if module in names else None


def from_published(
    tensors: Mapping[str, Tensor], net: nn.Module, arch: Arch, language: Language
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors of a weight file under our names, and the published names of those that hold nothing needed.

    A tensor that is missing is left out and one that is unexpected keeps its name: who fills the net refuses both.
    Raises UserError where a copy of a tied tensor says something else than the tensor, or one comes under two names.
    """
    left: dict[str, str] = {}
    for name in tensors:
        short = short_name(name, language.prefix)
        if short in left:
            raise UserError(f"the weights hold the same tensor as {left[short]} and as {name}", _BELONG)
        left[short] = name
    shapes = {name: tensor.shape for name, tensor in net.named_parameters()}
    found: dict[str, Tensor] = {}
    for published in pairs(net, arch, language):
        short = short_name(published.name, language.prefix)
        if short in left:
            found |= _parts(tensors[left.pop(short)], published, shapes)
    for name in language.zeros:
        if name in shapes and name not in found:
            kinds = [tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()]
            found[name] = torch.zeros(shapes[name], dtype=kinds[0] if kinds else torch.float32)
    unused = []
    for short, name in left.items():
        same = language.copies.get(name) or language.copies.get(language.prefix + short)
        if same is not None and same in found:
            copied, first = tensors[name], found[same]
            if copied.dtype != first.dtype or not torch.equal(copied, first):
                raise UserError(f"config.json ties {name} to the table of words, but the weights differ", _BELONG)
            unused.append(name)
        elif name.endswith(language.extras):
            unused.append(name)
        else:
            found[name] = tensors[name]
    return found, tuple(sorted(unused))


def short_name(name: str, prefix: str) -> str:
    """A published name without what some publishers leave out, and as today's layer norms are spelled."""
    module, dot, leaf = name.removeprefix(prefix).rpartition(".")
    return module + dot + {"gamma": "weight", "beta": "bias"}.get(leaf, leaf)  # the first BERT files


def _parts(tensor: Tensor, published: Published, shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    """Our parameters out of one published tensor; one of a wrong shape goes on as it is, to be refused by name."""
    if published.turned and tensor.dim() == 2:
        tensor = tensor.t().contiguous()
    if published.lifted and tensor.dim() > 1:
        tensor = tensor[0]
    rows = [shapes[name][0] for name in published.ours]
    if len(rows) == 1 or tensor.dim() == 0 or sum(rows) != tensor.shape[0]:
        return dict.fromkeys(published.ours, tensor)
    return dict(zip(published.ours, torch.split(tensor, rows), strict=True))


def to_published(net: nn.Module, arch: Arch, language: Language) -> dict[str, Tensor]:
    """The tensors of a net as they are published. Raises ValueError where a tuning wraps one: merge it first."""
    ours = dict(net.named_parameters())
    made: dict[str, Tensor] = {}
    for published in pairs(net, arch, language):
        tensor = torch.cat([ours[name].detach() for name in published.ours])
        tensor = tensor.t() if published.turned else tensor
        made[published.name] = tensor[None] if published.lifted else tensor
    return made
