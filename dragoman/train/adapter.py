"""What a tuning learnt, in a folder of its own: in PEFT's format where PEFT knows the tuning, else in ours.

What is trained here, `peft` loads over the same base, and the other way round.
"""

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dragoman.core.errors import UserError
from dragoman.nn.adapter import check_settings, published_modules, whole_tensors
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.folder import encoder_family_of, family_of
from dragoman.nn.heads import Classifier, Extractor, Headed, Tagger
from dragoman.nn.weights import read_json, read_tensors
from dragoman.train.anatomy import fresh_parts
from dragoman.train.doors import TUNINGS, Tuning

__all__ = ["Form", "read_adapter", "write_adapter"]

Form = Literal["peft", "own"]

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
FRONT = "base_model.model."
OWN = "dragoman_tuning"
"the key of adapter_config.json that says which tuning an adapter in our own form is of"
AGAIN = "train it again with: dragoman train"
TASKS: tuple[tuple[type[nn.Module], str], ...] = (
    (Classifier, "SEQ_CLS"),
    (Tagger, "TOKEN_CLS"),
    (Extractor, "QUESTION_ANS"),
    (Decoder, "CAUSAL_LM"),
    (EncoderDecoder, "SEQ_2_SEQ_LM"),
)


def write_adapter(net: nn.Module, tuning: Tuning, folder: Path, base: str) -> Form:
    """Write adapter_config.json and adapter_model.safetensors of a net that `tuning` was applied to, not merged yet.

    `base` says where the untouched model lies. A fresh head is saved whole (`modules_to_save`). It is written in place:
    `core.durable.publish` makes it appear at once. Returns the form: peft, or own where PEFT does not know the tuning
    or cannot say this one of it; then adapter_config.json says why, and `read_adapter` alone opens it. Raises
    ValueError where the net holds nothing of the tuning.
    """
    form: Form = "own"
    why = f"PEFT has no {_named(tuning)}"
    if hasattr(tuning, "to_peft"):
        try:
            config, tensors = tuning.to_peft(net, published_modules(net))
            form = "peft"
        except UserError as error:
            why = error.problem
    if form == "peft":
        config, tensors = _with_head(net, dict(config), dict(tensors))
    else:
        config = {OWN: _named(tuning), "settings": asdict(tuning), "not_in_peft_form": why}  # type: ignore[call-overload]
        held = dict(net.named_parameters())
        tensors = {name: held[name] for name in tuning.paces(net)}
    config |= {"base_model_name_or_path": base, "inference_mode": True}
    folder.mkdir(parents=True, exist_ok=True)
    plain = {name: tensor.detach().float().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(plain, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for name in (CONFIG, WEIGHTS):
        (folder / name).chmod(0o644)
    return form


def _with_head(net: nn.Module, config: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[Any, dict[str, Tensor]]:
    """The rest of what PEFT reads: the task, the head, the names as they stand in its model."""
    config["task_type"] = next((task for kind, task in TASKS if isinstance(net, kind)), None)
    if str(config["peft_type"]) in ("PROMPT_TUNING", "PREFIX_TUNING"):
        return config, tensors  # these stand in front of the model and not inside it
    tensors = {f"{FRONT}{name}": tensor for name, tensor in tensors.items()}
    if not isinstance(net, Headed):
        arch: Any = net.arch
        config["fan_in_fan_out"] = bool(family_of(arch.family).language.turned)  # GPT-2's matrices stand [in, out]
        return config, tensors
    front, names = encoder_family_of(net.arch.family).prefix, published_modules(net)
    whole = set()
    for name, tensor in net.head.state_dict().items():
        module, _, leaf = f"head.{name}".rpartition(".")
        tensors[f"{FRONT}{names[module]}.{leaf}"] = tensor
        # transformers' own head is one module ("classifier") in some families: PEFT saves that one whole by itself.
        whole.add(names[module] if names[module].startswith(front) else names[module].split(".")[0])
    config["modules_to_save"] = sorted(whole)
    return config, tensors


def read_adapter(net: nn.Module, folder: Path) -> Any:
    """Put an adapter beside the weights of its base model, unmerged, and return the tuning it was made with.

    An adapter that qlora made is a LoRA's: it is put beside the weights of before the rounding. Raises UserError where
    the adapter is of another kind, or does not fit the net tensor by tensor; the net is then as it was.
    """
    config, tensors = read_json(folder / CONFIG), read_tensors(folder, WEIGHTS)
    if OWN in config:
        settings = config.get("settings")
        if not isinstance(settings, dict):
            raise UserError(f"{folder / CONFIG} does not hold the settings of its tuning", AGAIN)
        tuning, found = TUNINGS.make(str(config[OWN]), settings), tensors
    else:
        tuning, found = _from_peft(net, config, tensors, folder)
    wanted = _rehearsed(net, tuning)
    shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
    wrong = sorted(name for name in wanted.keys() | shapes.keys() if wanted.get(name) != shapes.get(name))
    if wrong:
        raise UserError(f"the adapter {folder} does not fit this model: {wrong[0]} is not the same", AGAIN)
    net = tuning.apply(net, 0)
    held = dict(net.named_parameters())
    with torch.no_grad():
        for name, tensor in found.items():
            held[name].copy_(tensor)
    if isinstance(net, Headed):
        net.fresh = ()
    return tuning


def _from_peft(
    net: nn.Module, config: Mapping[str, Any], tensors: Mapping[str, Tensor], folder: Path
) -> tuple[Any, dict[str, Tensor]]:
    """The tuning of an adapter in PEFT's format, and all tensors that it lets learn, by our names."""
    kind = str(config.get("peft_type"))
    name = {"LORA": "dora" if config.get("use_dora") else "lora", "IA3": "ia3"}.get(kind)
    name = name or {"PROMPT_TUNING": "soft_prompt", "PREFIX_TUNING": "prefix"}.get(kind)
    if name is None:
        raise UserError(f"the adapter {folder} is of the kind {kind}, which is not built here", AGAIN)
    if kind in ("LORA", "IA3"):
        check_settings(config, folder)
    names = published_modules(net)
    heads = {names[module] for module in names if module.startswith(tuple(f"{part}." for part in fresh_parts(net)))}
    beside: dict[str, Tensor] = {}
    whole: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        plain = key.removeprefix(FRONT)
        (whole if plain.rpartition(".")[0] in heads else beside)[plain] = tensor
    tuning, found = TUNINGS.kind(name).from_peft(config, beside, net, names)
    return tuning, found | whole_tensors(net, whole, folder)


def _rehearsed(net: nn.Module, tuning: Any) -> dict[str, tuple[int, ...]]:
    """Name and shape of what the tuning lets learn in this net, found on a copy of its structure.

    The copy shares every number with the net, so that it costs no memory and shows what fits before anything changes.
    """
    learning = [(weight, weight.requires_grad) for weight in net.parameters()]
    shared = {id(tensor): tensor for tensor in (*net.parameters(), *net.buffers())}
    try:
        trial = tuning.apply(copy.deepcopy(net, shared), 0)
        held = dict(trial.named_parameters())
        return {name: tuple(held[name].shape) for name in tuning.paces(trial)}
    finally:
        for weight, learns in learning:
            weight.requires_grad_(learns)


def _named(tuning: Any) -> str:
    """The name a tuning is chosen by: `soft_prompt` of SoftPrompt."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(tuning).__name__).lower()
