"""LoRA adapters in PEFT's format: what is trained here, `peft` loads over the same base, and the other way round."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.nn.heads import Classifier
from dragoman.nn.store import encoder_family_of, modules_by_published_name
from dragoman.nn.weights import read_json, read_tensors
from dragoman.train.low_rank import low_rank_modules
from dragoman.train.tuning.lora import Lora

__all__ = ["read_adapter", "write_adapter"]

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
FRONT = "base_model.model."
UNSUPPORTED = ("use_dora", "fan_in_fan_out", "lora_bias", "rank_pattern", "alpha_pattern", "layer_replication")
AGAIN = "train it again with: dragoman train tuning=lora"


def write_adapter(net: Classifier, lora: Lora, folder: Path, base: str) -> None:
    """Write adapter_config.json and adapter_model.safetensors of a net that `lora` was applied to and not merged yet.

    `base` says where the untouched model lies. The head is saved whole (`modules_to_save`). It is written in place:
    `core.durable.publish` makes it appear at once. Raises ValueError where the net has no low-rank layer.
    """
    thin = low_rank_modules(net)
    if not thin:
        raise ValueError("the net has no low-rank layer: write the adapter before it is merged")
    family = encoder_family_of(net.arch.family)
    theirs = {ours: name for name, ours in modules_by_published_name(family, net.arch).items()}
    heads = {name for ours, name in theirs.items() if ours.startswith("head.")}
    config = {
        "peft_type": "LORA",
        "task_type": "SEQ_CLS",
        "base_model_name_or_path": base,
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "use_rslora": lora.stabilised,
        "target_modules": sorted(theirs[name] for name in thin),
        # transformers' own head is one module ("classifier") in some families: PEFT saves that one whole by itself.
        "modules_to_save": sorted({h if h.startswith(family.prefix) else h.split(".")[0] for h in heads}),
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }
    tensors: dict[str, Tensor] = {}
    for name, module in thin.items():
        tensors[f"{FRONT}{theirs[name]}.lora_A.weight"] = module.down
        tensors[f"{FRONT}{theirs[name]}.lora_B.weight"] = module.up
    for leaf, tensor in net.head.state_dict().items():
        module_name, _, kind = f"head.{leaf}".rpartition(".")
        tensors[f"{FRONT}{theirs[module_name]}.{kind}"] = tensor
    folder.mkdir(parents=True, exist_ok=True)
    plain = {name: tensor.detach().float().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(plain, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for name in (CONFIG, WEIGHTS):
        (folder / name).chmod(0o644)


def read_adapter(net: Classifier, folder: Path) -> Lora:
    """Put an adapter beside the weights of its base model, unmerged, and return the tuning it was made with.

    Raises UserError where the adapter is of another kind, or does not fit the net tensor by tensor; the net is then
    as it was.
    """
    config = read_json(folder / CONFIG)
    if config.get("peft_type") != "LORA" or any(config.get(key) for key in UNSUPPORTED):
        raise UserError(f"the adapter {folder} is not a plain LoRA adapter", AGAIN)
    ours = modules_by_published_name(encoder_family_of(net.arch.family), net.arch)
    found: dict[str, Tensor] = {}
    for name, tensor in read_tensors(folder, WEIGHTS).items():
        module, _, leaf = name.removeprefix(FRONT).rpartition(".")
        module, _, half = module.rpartition(".") if module.endswith((".lora_A", ".lora_B")) else (module, "", "")
        if module not in ours:
            raise UserError(f"the adapter {folder} holds {name}, which this model does not have", AGAIN)
        found[f"{ours[module]}.{ {'lora_A': 'down', 'lora_B': 'up'}.get(half, leaf) }"] = tensor
    lora = _tuning(config, found, folder)
    _fits(net, lora, found, folder)
    lora.apply(net, seed=0)
    held = dict(net.named_parameters())
    with torch.no_grad():
        for name, tensor in found.items():
            held[name].copy_(tensor)
    return lora


def _tuning(config: dict[str, Any], found: dict[str, Tensor], folder: Path) -> Lora:
    """The tuning that an adapter's settings and tensors describe."""
    where = sorted({name.split(".")[-2] for name in found if name.endswith(".down")})
    try:
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
        dropout, stabilised = float(config.get("lora_dropout") or 0.0), bool(config.get("use_rslora"))
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{folder / CONFIG} does not give r and lora_alpha as numbers", AGAIN) from None
    return Lora(rank=rank, alpha=alpha, stabilised=stabilised, where=tuple(where), dropout=dropout)


def _fits(net: Classifier, lora: Lora, found: dict[str, Tensor], folder: Path) -> None:
    """Raise UserError unless the tensors are exactly those that the tuning lets learn in this net."""
    wanted = {f"head.{name}": tuple(weight.shape) for name, weight in net.head.named_parameters()}
    for name, module in net.named_modules():
        if isinstance(module, torch.nn.Linear) and name.startswith("encoder.") and name.split(".")[-1] in lora.where:
            wanted[f"{name}.down"] = (lora.rank, module.in_features)
            wanted[f"{name}.up"] = (module.out_features, lora.rank)
    shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
    wrong = sorted(name for name in wanted.keys() | shapes.keys() if wanted.get(name) != shapes.get(name))
    if wrong:
        raise UserError(f"the adapter {folder} does not fit this model: {wrong[0]} is not the same", AGAIN)
