"""Thin matrices and gains in PEFT's words and back: split where a published matrix is several of ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dragoman.core.errors import UserError
from dragoman.nn.adapter import adapter_scale, modules_under, split_adapter
from dragoman.train.anatomy import matrices
from dragoman.train.low_rank import LowRank, low_rank_modules
from dragoman.train.quantised import FourBitLinear
from dragoman.train.rescaled import Rescaled, rescaled_modules
from dragoman.train.tuning._thin import thin_scale

__all__ = ["Thin", "gains_from_peft", "gains_to_peft", "thin_from_peft", "thin_to_peft"]

_MERGE = "open it merged into its model, or train one here with: dragoman train tuning=lora"


@dataclass(frozen=True)
class Thin:
    """The settings of a tuning with thin matrices, as an adapter says them."""

    rank: int
    alpha: float
    stabilised: bool
    where: tuple[str, ...]
    dropout: float


def thin_to_peft(
    net: nn.Module, names: Mapping[str, str], rank: int, alpha: float, stabilised: bool, dropout: float
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """LoRA's or DoRA's layers as PEFT reads them: adapter_config.json's content, and tensors by published name.

    Where one published matrix holds several of ours (GPT-2's query, key and value), their thin pairs become one of
    their summed ranks: the A stand on each other, the B along a diagonal, and alpha grows with the rank, so that the
    product is the same to the last bit. Raises ValueError where the net has no such layer.
    """
    beside = low_rank_modules(net)
    if not beside:
        raise ValueError("the net has no low-rank layer: write the adapter before it is merged")
    _refuse_unnamed(beside, names)
    ranks: dict[str, int] = {}
    tensors: dict[str, Tensor] = {}
    for theirs, ours in modules_under(names).items():
        layers = [beside.get(name) for name in ours]
        found = [layer for layer in layers if layer is not None]
        if not found:
            continue
        down = torch.cat([layer.down.detach() for layer in found])  # [R, in]
        whole = [_linear(net, name) for name in ours]
        up = down.new_zeros(sum(each.out_features for each in whole), len(down))  # [out, R]
        row = column = 0
        for layer, each in zip(layers, whole, strict=True):
            if layer is not None:
                up[row : row + each.out_features, column : column + len(layer.down)] = layer.up.detach()
                column += len(layer.down)
            row += each.out_features
        tensors[f"{theirs}.lora_A.weight"], tensors[f"{theirs}.lora_B.weight"] = down, up
        if found[0].magnitude is not None:
            lengths = [
                torch.linalg.vector_norm(each.weight, dim=1) if layer is None or layer.magnitude is None
                else layer.magnitude
                for layer, each in zip(layers, whole, strict=True)
            ]  # fmt: skip
            tensors[f"{theirs}.lora_magnitude_vector"] = torch.cat(lengths).detach()
        ranks[theirs] = len(down)
    wider = {theirs: size for theirs, size in ranks.items() if size != rank}
    config = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": dropout,
        "use_rslora": stabilised,
        "use_dora": any(layer.magnitude is not None for layer in beside.values()),
        "target_modules": sorted(ranks),
        "rank_pattern": wider,
        "alpha_pattern": {
            theirs: alpha * ((size / rank) ** 0.5 if stabilised else size / rank) for theirs, size in wider.items()
        },
        "bias": "none",
        "fan_in_fan_out": False,
    }
    return config, tensors


def thin_from_peft(
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    net: nn.Module,
    names: Mapping[str, str],
    decomposed: bool = False,
) -> tuple[Thin, dict[str, Tensor]]:
    """The settings of a LoRA or DoRA adapter, and its tensors by our names.

    A pair beside a matrix that is several of ours is cut into theirs. Raises UserError where modules have ranks or
    scales of their own, which one tuning does not have, or an update is half.
    """
    under = modules_under(names)
    parts, rest = split_adapter(tensors, "LORA", set(under), Path("given"))
    if rest:
        raise UserError(f"the adapter holds {min(rest)}, which its kind has no use for", _MERGE)
    try:
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
        dropout, stabilised = float(config.get("lora_dropout") or 0.0), bool(config.get("use_rslora"))
    except (KeyError, TypeError, ValueError):
        raise UserError("adapter_config.json does not give r and lora_alpha as numbers", _MERGE) from None
    wanted = {"lora_A", "lora_B"} | ({"lora_magnitude_vector"} if decomposed else set())
    found: dict[str, Tensor] = {}
    for module, pair in parts.items():
        if set(pair) != wanted:
            raise UserError(f"the adapter does not hold exactly {', '.join(sorted(wanted))} of {module}", _MERGE)
        scale, own = thin_scale(rank, alpha, stabilised), adapter_scale(config, module)
        if abs(own - scale) > 1e-9 * scale:
            raise UserError(f"the adapter has a scale of its own for {module}", _MERGE)
        sizes = [_linear(net, name).out_features for name in under[module]]
        if pair["lora_A"].ndim != 2 or pair["lora_B"].ndim != 2 or len(pair["lora_B"]) != sum(sizes):
            raise UserError(f"the adapter does not fit {module}: another model's", _MERGE)
        rows = torch.split(pair["lora_B"], sizes)
        lengths = torch.split(pair["lora_magnitude_vector"].flatten(), sizes) if decomposed else ()
        for member, columns in _columns(rows, pair["lora_A"].shape[0], rank).items():
            name = under[module][member]
            found[f"{name}.down"] = pair["lora_A"][columns].contiguous()
            found[f"{name}.up"] = rows[member][:, columns].contiguous()
            if decomposed:
                found[f"{name}.magnitude"] = lengths[member].contiguous()
    where = _where(net, {name.rpartition(".")[0] for name in found})
    return Thin(rank, alpha, stabilised, where, dropout), found


def _columns(rows: Sequence[Tensor], held: int, rank: int) -> dict[int, slice]:
    """Which of the thin matrix's `held` rows each member of a joint matrix has for its own; who has none is left out.

    All have the same `rank` where one pair serves several, as PEFT trains it. Ours stand along a diagonal.
    """
    if held == rank or held % rank or held // rank > len(rows):  # of a wrong size: refused for its shape
        used = [member for member, part in enumerate(rows) if bool(part.any())]
        return dict.fromkeys(used or range(len(rows)), slice(0, held))
    blocks = [slice(first, first + rank) for first in range(0, held, rank)]
    found: dict[int, slice] = {}
    for member, part in enumerate(rows):
        heard = [block for block in blocks if bool(part[:, block].any())]
        if len(heard) > 1:
            return dict.fromkeys(range(len(rows)), slice(0, held))
        if heard:
            found[member] = heard[0]
    free = [block for block in blocks if block not in found.values()]
    still = [member for member in range(len(rows)) if member not in found]
    return found | dict(zip(still, free, strict=False))


def gains_to_peft(net: nn.Module, names: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """IA3's gains as PEFT reads them; those of a matrix that is several of ours are joined, and 1 where there is none.

    Raises ValueError where the net has none, and UserError where a joint matrix is multiplied on both sides.
    """
    beside = rescaled_modules(net)
    if not beside:
        raise ValueError("the net has no rescaled layer: write the adapter before it is merged")
    _refuse_unnamed(beside, names)
    entering: list[str] = []
    tensors: dict[str, Tensor] = {}
    for theirs, ours in modules_under(names).items():
        layers = [beside.get(name) for name in ours]
        if all(layer is None for layer in layers):
            continue
        if any(layer is not None and layer.entering for layer in layers):
            if len(layers) > 1:
                raise UserError(f"PEFT cannot multiply what enters a part of {theirs}", "name it in tuning.outputs")
            entering.append(theirs)
        gains = [
            torch.ones(_linear(net, name).out_features) if layer is None else layer.gain.detach().float().cpu()
            for layer, name in zip(layers, ours, strict=True)
        ]
        joined = torch.cat(gains)
        tensors[f"{theirs}.ia3_l"] = joined[None] if theirs in entering else joined[:, None]
    config = {
        "peft_type": "IA3",
        "target_modules": sorted(name.removesuffix(".ia3_l") for name in tensors),
        "feedforward_modules": sorted(entering),
        "fan_in_fan_out": False,
    }
    return config, tensors


def gains_from_peft(
    tensors: Mapping[str, Tensor], net: nn.Module, names: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Tensor]]:
    """Which of our matrices have gains on their outputs and on their inputs, and the gains by our names.

    Raises UserError where a gain does not fit.
    """
    under = modules_under(names)
    parts, rest = split_adapter(tensors, "IA3", set(under), Path("given"))
    if rest:
        raise UserError(f"the adapter holds {min(rest)}, which its kind has no use for", _MERGE)
    found: dict[str, Tensor] = {}
    sides: dict[bool, set[str]] = {True: set(), False: set()}
    for module, held in parts.items():
        gains, ours = held["ia3_l"], under[module]
        sizes = [_linear(net, name).out_features for name in ours]
        entering = gains.ndim == 2 and tuple(gains.shape) == (1, _linear(net, ours[0]).in_features)
        if not entering and tuple(gains.shape) != (sum(sizes), 1):
            raise UserError(f"the adapter does not fit {module}: another model's", _MERGE)
        own = [gains[0]] * len(ours) if entering else torch.split(gains[:, 0], sizes)
        for name, part in zip(ours, own, strict=True):
            if len(ours) > 1 and bool((part == 1).all()) and not bool((gains == 1).all()):
                continue  # a part of a joint matrix that has no gain
            found[f"{name}.gain"] = part.contiguous()
            sides[entering].add(name.rpartition(".")[2])
    outputs, inputs = (tuple(sorted(sides[side])) for side in (False, True))
    return outputs, inputs, found


def _refuse_unnamed(beside: Mapping[str, LowRank] | Mapping[str, Rescaled], names: Mapping[str, str]) -> None:
    """Raise UserError where a matrix has no published module to stand beside."""
    unnamed = sorted(set(beside) - set(names))
    if unnamed:
        raise UserError(f"PEFT has no name for {unnamed[0]} of this model", "leave it out of tuning.where")


def _where(net: nn.Module, modules: set[str]) -> tuple[str, ...]:
    """The last names of modules, () where they are those of all matrices of the net."""
    named = {name.rpartition(".")[2] for name in modules}
    return () if named == {name.rpartition(".")[2] for name in matrices(net)} else tuple(sorted(named))


def _linear(net: nn.Module, name: str) -> nn.Linear | FourBitLinear:
    """The matrix of that name, with or without something beside it."""
    module = net.get_submodule(name)
    whole = module.whole if isinstance(module, LowRank | Rescaled) else module
    assert isinstance(whole, nn.Linear | FourBitLinear)
    return whole
