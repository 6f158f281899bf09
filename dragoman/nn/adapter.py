"""A LoRA adapter in PEFT's format merged into a classifier: what was learnt beside the weights joins them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dragoman.core.errors import UserError
from dragoman.nn.heads import Classifier
from dragoman.nn.store import encoder_family_of, modules_by_published_name
from dragoman.nn.weights import read_json, read_tensors

__all__ = ["merge_adapter"]

_CHANGES_THE_SUM = (
    "fan_in_fan_out",
    "lora_bias",
    "layer_replication",
    "target_parameters",
    "trainable_token_indices",
    "alora_invocation_tokens",
    "arrow_config",
    "megatron_config",
)
_TRAIN = "train it again with: dragoman train"


def merge_adapter(net: Classifier, folder: Path) -> None:
    """Add the adapter's low-rank updates to the net in place: W + scale x B A, scale = alpha / rank (Hu et al. 2021).

    rsLoRA divides by the square root of the rank (Kalajdzievski 2023). Modules that were trained whole (the head) are
    replaced. Raises UserError where the adapter is pickled, of another kind, or does not fit the net tensor by tensor.
    """
    settings = read_json(folder / "adapter_config.json")
    _refuse_unsupported(settings, folder)
    ours = modules_by_published_name(encoder_family_of(net.arch.family), net.arch)
    halves: dict[str, dict[str, Tensor]] = {}
    whole: dict[str, Tensor] = {}
    for name, tensor in read_tensors(folder, "adapter_model.safetensors").items():
        module, _, leaf = name.removeprefix("base_model.model.").rpartition(".")
        module, _, half = module.rpartition(".") if module.endswith((".lora_A", ".lora_B")) else (module, "", "")
        if module not in ours:
            raise UserError(f"the adapter {folder} holds {name}, which this model does not have", _TRAIN)
        if half:
            halves.setdefault(module, {})[half] = tensor
        else:
            whole[f"{ours[module]}.{leaf}"] = tensor
    with torch.no_grad():
        for module, pair in halves.items():
            if set(pair) != {"lora_A", "lora_B"}:
                raise UserError(f"the adapter {folder} holds half an update of {module}", _TRAIN)
            weight = _weight(net, ours[module])
            update = pair["lora_B"] @ pair["lora_A"] * _scale(settings, module)  # [out, in]
            if update.shape != weight.shape:
                raise UserError(f"the adapter {folder} does not fit {module}: another model's", _TRAIN)
            weight += update
        _replace(net, whole, folder)
    net.fresh = tuple(name for name in net.fresh if name not in whole)
    if net.fresh:
        raise UserError(f"neither the model nor the adapter {folder} holds {net.fresh[0]}", _TRAIN)


def _weight(net: Classifier, module: str) -> Tensor:
    linear = net.get_submodule(module)
    if not isinstance(linear, nn.Linear):
        raise UserError(f"the adapter changes {module}, which is not a linear layer", _TRAIN)
    return linear.weight


def _replace(net: Classifier, whole: Mapping[str, Tensor], folder: Path) -> None:
    held = net.state_dict()
    for name, tensor in whole.items():
        if held[name].shape != tensor.shape:
            raise UserError(f"the adapter {folder} gives {name} another shape than the model", _TRAIN)
        held[name].copy_(tensor)


def _scale(settings: Mapping[str, Any], module: str) -> float:
    rank = _pattern(settings, "rank_pattern", module, float(settings["r"]))
    alpha = _pattern(settings, "alpha_pattern", module, float(settings["lora_alpha"]))
    return float(alpha / rank**0.5 if settings.get("use_rslora") else alpha / rank)


def _pattern(settings: Mapping[str, Any], key: str, module: str, otherwise: float) -> float:
    """PEFT lets single modules have a rank of their own, named by the end of their path."""
    for end, value in (settings.get(key) or {}).items():
        if module == end or module.endswith(f".{end}"):
            return float(value)
    return otherwise


def _refuse_unsupported(settings: Mapping[str, Any], folder: Path) -> None:
    if settings.get("peft_type") != "LORA":
        raise UserError(f"the adapter {folder} is {settings.get('peft_type')}, not LORA", _TRAIN)
    variants = [key for key in settings if key.startswith("use_") and key != "use_rslora"]
    for key in (*variants, *_CHANGES_THE_SUM):
        if settings.get(key):
            raise UserError(f"the adapter {folder} uses {key}, which is not built here", _TRAIN)
    for key in ("r", "lora_alpha"):
        if isinstance(settings.get(key), bool) or not isinstance(settings.get(key), int | float) or settings[key] <= 0:
            raise UserError(f"{key} in {folder / 'adapter_config.json'} is not a number above zero", _TRAIN)
