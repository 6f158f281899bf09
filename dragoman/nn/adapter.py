"""Adapters in PEFT's format merged into any net: what was learnt beside the weights (LoRA, DoRA, IA3) joins them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dragoman.core.errors import UserError
from dragoman.nn.folder import encoder_family_of, family_of, head_names, modules_by_published_name
from dragoman.nn.heads import Headed
from dragoman.nn.hollow import hollow
from dragoman.nn.names import from_published, pairs
from dragoman.nn.store import build_lm
from dragoman.nn.weights import read_json, read_tensors

__all__ = [
    "adapter_scale",
    "changed_weight",
    "check_settings",
    "merge_adapter",
    "modules_under",
    "published_modules",
    "split_adapter",
    "whole_tensors",
]

FRONT = "base_model.model."
_KINDS = {"LORA": ("lora_A", "lora_B", "lora_magnitude_vector"), "IA3": ("ia3_l",)}
_CHANGES_THE_SUM = (
    "lora_bias",
    "layer_replication",
    "target_parameters",
    "trainable_token_indices",
    "alora_invocation_tokens",
    "arrow_config",
    "megatron_config",
    "velora_config",
    "monteclora_config",
    "kasa_config",
)
_STARTS = (True, False, None, "gaussian", "eva", "orthogonal")
"""where LoRA may begin so that it stands beside the weights as they were published; others (pissa, olora, corda, loftq)
take their beginning out of the weights first, and the sum with the published ones is another model"""
_TABLES = ("lm_head", "embed_out", "embed_tokens", "wte", "word_embeddings", "shared")
"what the published models call the table of words, or the prediction that shares it"
_TRAIN = "train it again with: dragoman train"


def published_modules(net: nn.Module) -> dict[str, str]:
    """Our module names to the published ones, in our order: of an encoder with a head or of a language model.

    Several of ours have one published name where their rows stand in one matrix (GPT-2's query, key and value). What a
    tuning put into the net makes no difference: the names follow from its shape.
    """
    arch: Any = net.arch
    if isinstance(net, Headed):
        family = encoder_family_of(arch.family)
        return {ours: name for name, ours in modules_by_published_name(family, arch, head_names(net, family)).items()}
    with hollow():
        plain = build_lm(arch)
    found: dict[str, str] = {}
    for one in pairs(plain, arch, family_of(arch.family).language):
        for ours in one.ours:
            (module, _, leaf), (theirs, _, their_leaf) = ours.rpartition("."), one.name.rpartition(".")
            if leaf == their_leaf == "weight":
                found[module] = theirs
    return found


def modules_under(names: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Each published module and those of ours that stand in it, in the order of their rows."""
    found: dict[str, tuple[str, ...]] = {}
    for ours, theirs in names.items():
        found[theirs] = (*found.get(theirs, ()), ours)
    return found


def changed_weight(weight: Tensor, down: Tensor, up: Tensor, scale: float, magnitude: Tensor | None = None) -> Tensor:
    """W + scale * B A (Hu et al. 2021), its rows stretched to the lengths `magnitude` where they learn (DoRA, Liu et
    al. 2024). Computed in float64 from W [out, in], A [r, in], B [out, r], and rounded once, to the type of W.
    """
    with torch.no_grad():
        total = weight.double() + scale * (up.double() @ down.double())  # [out, in]
        if magnitude is not None:
            total *= (magnitude.double() / torch.linalg.vector_norm(total, dim=1))[:, None]
        return total.to(weight.dtype)


def merge_adapter(net: nn.Module, folder: Path) -> None:
    """Merge what an adapter learnt into the net in place: LoRA and rsLoRA, DoRA, or the gains of IA3.

    Modules that were trained whole (a head, say) are replaced. Raises UserError where the adapter is pickled, of
    another kind, or does not fit the net tensor by tensor; the net is then as it was.
    """
    settings = read_json(folder / "adapter_config.json")
    kind = check_settings(settings, folder)
    ours = modules_under(published_modules(net))
    parts, rest = split_adapter(read_tensors(folder, "adapter_model.safetensors"), kind, set(ours), folder)
    held = dict(net.named_parameters())
    found = whole_tensors(net, rest, folder)
    for module, tensors in parts.items():
        for each in ours[module]:
            if not isinstance(net.get_submodule(each), nn.Linear):
                raise UserError(f"the adapter changes {each}, which is not a linear layer", _TRAIN)
        joined = [f"{each}.{{}}" for each in ours[module]]
        now = {**held, **found}  # a bias that was learnt whole (bias="all") stays learnt
        weight = torch.cat([now[each.format("weight")] for each in joined]).detach()  # [out, in]
        biases = [now[each.format("bias")].detach() for each in joined if each.format("bias") in held]
        bias = torch.cat(biases) if len(biases) == len(joined) else None  # [out]
        if kind == "IA3":
            weight, bias = _rescaled(weight, bias, tensors, folder, module)
        else:
            if settings.get("use_dora") and "lora_magnitude_vector" not in tensors:
                raise UserError(f"the adapter {folder} holds no lengths of {module}, which DoRA learns", _TRAIN)
            weight = _added(weight, tensors, adapter_scale(settings, module), folder, module)
        rows = [len(held[each.format("weight")]) for each in joined]
        for each, part in zip(joined, torch.split(weight, rows), strict=True):
            found[each.format("weight")] = part
        for each, part in zip(joined, torch.split(bias, rows) if bias is not None else (), strict=False):
            found[each.format("bias")] = part
    fresh = tuple(name for name in getattr(net, "fresh", ()) if name not in found)
    if fresh:
        raise UserError(f"neither the model nor the adapter {folder} holds {fresh[0]}", _TRAIN)
    with torch.no_grad():
        for name, tensor in found.items():
            held[name].copy_(tensor)
    if isinstance(net, Headed):
        net.fresh = ()


def split_adapter(
    tensors: Mapping[str, Tensor], kind: str, known: set[str], folder: Path
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor]]:
    """An adapter's tensors sorted: what stands beside each published module, by its kind; and those given whole.

    Raises UserError where one stands beside a module that is not among the known ones, or beside the table of words.
    """
    parts: dict[str, dict[str, Tensor]] = {}
    rest: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if ".original_module." in name:  # a bias of a head as it was before it learnt: PEFT keeps it with bias="all"
            continue
        # what PEFT put its own around, and the learnt copy of a head
        plain = re.sub(r"\.(base_layer|modules_to_save(\.default)?)\.", ".", name.removeprefix(FRONT))
        module, _, part = plain.removesuffix(".weight").rpartition(".")
        table = part in _KINDS[kind] and module not in known and module.rpartition(".")[2] in _TABLES
        if table or part.startswith("lora_embedding_"):
            said = f"the adapter {folder} changes the table of words ({module}), which is tied and cannot be merged"
            raise UserError(said, "train it without that one in target_modules, or with: dragoman train")
        if part not in _KINDS[kind]:
            rest[plain] = tensor
            continue
        if module not in known:
            raise UserError(f"the adapter {folder} holds {name}, which this model does not have", _TRAIN)
        parts.setdefault(module, {})[part] = tensor
    return parts, rest


def whole_tensors(net: nn.Module, tensors: Mapping[str, Tensor], folder: Path) -> dict[str, Tensor]:
    """Published tensors that take the place of the net's own, by our names. Raises UserError where one does not fit."""
    arch: Any = net.arch
    found: dict[str, Tensor] = {}
    if isinstance(net, Headed):
        ours = modules_under(published_modules(net))
        for name, tensor in tensors.items():
            module, _, leaf = name.rpartition(".")
            found[f"{ours[module][0]}.{leaf}" if module in ours else name] = tensor
    elif tensors:
        language = replace(family_of(arch.family).language, zeros=())  # what an adapter leaves out stays as it is
        found, _ = from_published(tensors, net, arch, language)
    held = dict(net.named_parameters())
    for name, tensor in found.items():
        if name not in held:
            raise UserError(f"the adapter {folder} holds {name}, which this model does not have", _TRAIN)
        if held[name].shape != tensor.shape:
            raise UserError(f"the adapter {folder} gives {name} another shape than the model", _TRAIN)
    return found


def _added(weight: Tensor, tensors: Mapping[str, Tensor], scale: float, folder: Path, module: str) -> Tensor:
    if not {"lora_A", "lora_B"} <= set(tensors):
        raise UserError(f"the adapter {folder} holds half an update of {module}", _TRAIN)
    down, up, magnitude = tensors["lora_A"], tensors["lora_B"], tensors.get("lora_magnitude_vector")
    fits = down.ndim == up.ndim == 2 and down.shape[0] == up.shape[1]
    fits = fits and (up.shape[0], down.shape[1]) == tuple(weight.shape)
    if not fits or (magnitude is not None and magnitude.numel() != len(weight)):
        raise UserError(f"the adapter {folder} does not fit {module}: another model's", _TRAIN)
    return changed_weight(weight, down, up, scale, None if magnitude is None else magnitude.flatten())


def _rescaled(
    weight: Tensor, bias: Tensor | None, tensors: Mapping[str, Tensor], folder: Path, module: str
) -> tuple[Tensor, Tensor | None]:
    """Gains of what comes in [1, in] or of what goes out [out, 1] (IA3, Liu et al. 2022), multiplied in float64."""
    gains = tensors["ia3_l"]
    if tuple(gains.shape) not in ((1, weight.shape[1]), (len(weight), 1)):
        raise UserError(f"the adapter {folder} does not fit {module}: another model's", _TRAIN)
    changed = (weight.double() * gains.double()).to(weight.dtype)
    if bias is None or gains.shape[0] == 1:
        return changed, bias
    return changed, (bias.double() * gains[:, 0].double()).to(bias.dtype)


def adapter_scale(settings: Mapping[str, Any], module: str) -> float:
    """What B A is multiplied by beside a published module: alpha / rank, or alpha / sqrt(rank) in rsLoRA
    (Kalajdzievski 2023)."""
    rank = _pattern(settings, "rank_pattern", module, float(settings["r"]))
    alpha = _pattern(settings, "alpha_pattern", module, float(settings["lora_alpha"]))
    return float(alpha / rank**0.5 if settings.get("use_rslora") else alpha / rank)


def _pattern(settings: Mapping[str, Any], key: str, module: str, otherwise: float) -> float:
    """PEFT lets single modules have a rank of their own, named by the end of their path."""
    for end, value in (settings.get(key) or {}).items():
        if not re.fullmatch(r"[\w.]+", end):  # PEFT reads it as an expression: taken as a name it would match nothing
            raise UserError(f"{key} of the adapter names '{end}', which is no module's name", _TRAIN)
        if module == end or module.endswith(f".{end}"):
            return float(value)
    return otherwise


def check_settings(settings: Mapping[str, Any], folder: Path) -> str:
    """LORA or IA3: the kind of an adapter that can be merged. Raises UserError where it is another, or a variant."""
    kind = settings.get("peft_type")
    if kind not in _KINDS:
        raise UserError(f"the adapter {folder} is {kind or 'not in PEFT form'}, which cannot be merged here", _TRAIN)
    variants = [key for key in settings if key.startswith("use_") and key not in ("use_rslora", "use_dora")]
    for key in (*variants, *_CHANGES_THE_SUM):
        if settings.get(key):
            raise UserError(f"the adapter {folder} uses {key}, which is not built here", _TRAIN)
    start = settings.get("init_lora_weights")
    if kind == "LORA" and start not in _STARTS:
        said = f"the adapter {folder} began as {start}, beside weights that were changed for it: not the published ones"
        raise UserError(said, "save it from PEFT with path_initial_model_for_weight_conversion, which makes it a LoRA")
    for key in ("r", "lora_alpha") if kind == "LORA" else ():
        if isinstance(settings.get(key), bool) or not isinstance(settings.get(key), int | float) or settings[key] <= 0:
            raise UserError(f"{key} in {folder / 'adapter_config.json'} is not a number above zero", _TRAIN)
    return str(kind)
