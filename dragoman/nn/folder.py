"""What every model folder has in common: names both ways, tensors that fit to the last one, and the files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.family import FAMILIES, EncoderFamily, Family
from dragoman.nn.heads import Extractor, Headed, Tagger
from dragoman.nn.names import short_name
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.weights import read_tensors

__all__ = [
    "BELONG",
    "encoder_family_of",
    "family_of",
    "fill_net",
    "head_names",
    "model_type",
    "modules_by_published_name",
    "published_names",
    "refuse_hollow",
    "renamed",
    "save_folder",
    "spelled",
    "tell_types",
    "tensors_in",
]

BELONG = "give a folder whose config.json was published with these weights in models.candidates"


def family_of(name: str) -> Family:
    """The published architecture of that name. Raises UserError with the nearest one where it is not known."""
    family: Family = FAMILIES.kind(name)()
    return family


def encoder_family_of(name: str) -> EncoderFamily:
    """The same, for what is opened as an encoder. Raises UserError where the architecture is none."""
    family = family_of(name)
    if not isinstance(family, EncoderFamily):
        said = f"{name} is a {family.kind}: it writes text and has no head for labels here"
        raise UserError(said, "choose an encoder in models.candidates, such as builtin:minilm")
    return family


def published_names(net: nn.Module, arch: Arch, family: EncoderFamily) -> dict[str, Tensor]:
    """The tensors of an Encoder, or of one with a head, by their published names.

    Raises ValueError where a module has another shape than the family's, as one that a tuning wraps: merge it first.
    """
    held = net.state_dict()
    return {theirs: held[ours] for ours, theirs in spelled(net, arch, family).items()}


def spelled(net: nn.Module, arch: Arch, family: EncoderFamily) -> dict[str, str]:
    """The published name of each tensor of an Encoder, or of one with a head, by ours."""
    theirs = {ours: name for name, ours in modules_by_published_name(family, arch, head_names(net, family)).items()}
    named: dict[str, str] = {}
    for name in net.state_dict():
        module, _, leaf = (name if isinstance(net, Headed) else f"encoder.{name}").rpartition(".")
        if module not in theirs:
            raise ValueError(f"{name} has no published name in {arch.family}: merge the tuning before saving")
        named[name] = f"{theirs[module]}.{leaf}"
    return named


def head_names(net: nn.Module, family: EncoderFamily) -> Mapping[str, str]:
    """The modules of the net's head to the published ones; those of a classifier where it has no head."""
    if isinstance(net, Tagger):
        return family.tag_head
    return family.extract_head if isinstance(net, Extractor) else family.head


def modules_by_published_name(
    family: EncoderFamily, arch: Arch, head: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The published module names of an encoder with a head, as its weight file has them, to ours.

    `head` is what `head_names` gives; None: a classifier's.
    """
    return {
        (f"{family.prefix}{theirs}" if ours.startswith("encoder.") else theirs): ours
        for ours, theirs in _modules(family, arch, family.head if head is None else head).items()
    }


def model_type(config: Mapping[str, Any], folder: Path) -> str:
    """What config.json says the model is. Raises UserError where it does not say."""
    name = config.get("model_type")
    if not isinstance(name, str) or not name:
        raise UserError(f"{folder / 'config.json'} does not say its model_type", BELONG)
    return name


def _modules(family: EncoderFamily, arch: Arch, head: Mapping[str, str]) -> dict[str, str]:
    """Our module names to the published ones: the encoder's without the prefix, the head's as published."""
    names = {f"head.{ours}": theirs for ours, theirs in head.items()}
    for ours, theirs in family.encoder.items():
        if "{n}" in ours:
            for n in range(arch.layers):
                names["encoder." + ours.replace("{n}", str(n))] = theirs.replace("{n}", str(n))
        else:
            names["encoder." + ours] = theirs
    return names


def renamed(
    tensors: Mapping[str, Tensor], family: EncoderFamily, arch: Arch, head: Mapping[str, str]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors by our names, and the published names of the known ones that are of no use here.

    A name that is neither is kept as it is: `fill_net` refuses it.
    """
    modules = {theirs.removeprefix(family.prefix): ours for ours, theirs in _modules(family, arch, head).items()}
    found: dict[str, Tensor] = {}
    unused: list[str] = []
    for name, tensor in tensors.items():
        extra = short_name(name, family.prefix)
        module, _, leaf = extra.rpartition(".")
        if module in modules:
            ours = f"{modules[module]}.{leaf}"
            if ours in found:
                raise UserError(f"the tensor {name} stands in the weights twice", BELONG)
            found[ours] = tensor
        elif any(extra == known or (known.endswith(".") and extra.startswith(known)) for known in family.known_extras):
            unused.append(name)
        else:
            found[name] = tensor
    return found, tuple(sorted(unused))


def tensors_in(arch: Arch, folder: Path, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """The tensors of the folder, once it is sure that config.json does not ask for a million blocks nobody saved."""
    tensors = read_tensors(folder, dtype=dtype)
    refuse_hollow(arch, len(tensors), folder)
    return tensors


def refuse_hollow(arch: Arch, tensors: int, folder: Path) -> None:
    """Raise UserError where there are more layers than tensors in the files: nobody saved them, and to build them takes
    minutes."""
    layers = arch.layers + arch.decoder_layers
    if layers > tensors:
        said = f"config.json of {folder} says {layers} layers, but its weights hold {tensors} tensors"
        raise UserError(said, BELONG)


def fill_net(net: nn.Module, found: Mapping[str, Tensor], folder: Path, theirs: Mapping[str, str]) -> None:
    """Put the tensors into the net, all of them and nothing else; `theirs` are the names that a message tells."""
    wanted = dict(net.named_parameters())  # a tied one once
    missing, unexpected = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    for problem, names in (("lack", missing), ("hold the unexpected tensor", unexpected)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise UserError(f"the weights in {folder} {problem} {theirs.get(names[0], names[0])}{more}", BELONG)
    for name, tensor in found.items():
        if not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise UserError(f"{theirs[name]} in {folder} holds {kind}, where a model has floats", BELONG)
        if tensor.shape != wanted[name].shape:
            said, held = tuple(wanted[name].shape), tuple(tensor.shape)
            told = f"config.json of {folder} gives {theirs[name]} the shape {said}, the weights {held}"
            raise UserError(told, BELONG)
    new = {id(wanted[name]): nn.Parameter(tensor) for name, tensor in found.items()}
    for module in net.modules():
        for name, parameter in module.named_parameters(recurse=False):
            setattr(module, name, new[id(parameter)])  # where the old one was shared, the new one is


def save_folder(config: Mapping[str, Any], tensors: Mapping[str, Tensor], tokenizer: Tokenizer, folder: Path) -> None:
    """Write config.json, the weights and the tokenizer, readable by all (mode 0644)."""
    folder.mkdir(parents=True, exist_ok=True)
    dtype = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
    (folder / "config.json").write_text(json.dumps({**config, "dtype": dtype}, indent=2) + "\n", encoding="utf-8")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(plain, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer.save(folder)
    for path in folder.iterdir():
        path.chmod(0o644)


def tell_types(folder: Path) -> None:
    """Let the saved tokenizer say that the model wants token types: a pair of texts without them is read otherwise."""
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
    path.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
