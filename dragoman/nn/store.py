"""Models from folders and into folders: what Dragoman saves, transformers opens, and the other way round."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.encoder import Encoder, initialise
from dragoman.nn.family import FAMILIES, EncoderFamily, Family
from dragoman.nn.heads import Classifier, Head
from dragoman.nn.hollow import hollow
from dragoman.nn.masked import MaskedLM
from dragoman.nn.names import from_published, pairs, short_name, to_published
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.weights import architectures, read_config, read_tensors

__all__ = [
    "LanguageModel",
    "build_lm",
    "encoder_family_of",
    "family_of",
    "fresh_lm",
    "load_classifier",
    "load_encoder",
    "load_lm",
    "modules_by_published_name",
    "published_names",
    "read_arch",
    "read_labels",
    "refuse_hollow",
    "save_classifier",
    "save_encoder",
    "save_lm",
]

LanguageModel = Decoder | EncoderDecoder | MaskedLM

_BELONG = "give a folder whose config.json was published with these weights in models.candidates"


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


def read_arch(folder: Path) -> Arch:
    """The shape of the model in a folder; no weight is read. Raises UserError where config.json is bad or not known."""
    config = read_config(folder)
    return family_of(_model_type(config, folder)).read(config)


def load_encoder(folder: Path) -> Encoder:
    """The encoder in a folder, in float32 on the CPU, ready to answer; heads are left out, listed in `.unused`.

    Raises UserError where the weights are pickled, damaged, or not exactly those that config.json describes.
    """
    config = read_config(folder)
    family = encoder_family_of(_model_type(config, folder))
    arch = family.read(config)
    found, unused = _renamed(_tensors(arch, folder), family, arch, {})
    with hollow():  # every number comes from the folder
        net = Encoder(arch)
    names = _spelled(net, arch, family)
    _fill(net, {name.removeprefix("encoder."): tensor for name, tensor in found.items()}, folder, names)
    net.unused = unused
    return net.eval()


def load_classifier(folder: Path, labels: Sequence[str] = (), multi_label: bool = False, seed: int = 0) -> Classifier:
    """The classifier in a folder, or its encoder with a new head for `labels`; float32 on the CPU, in `eval`.

    Without `labels` the folder must hold a classifier, whose labels are kept. With them, a head for the same labels
    is kept (in the order asked for) and another is replaced; what is new is drawn from `seed`, listed in `.fresh`.
    Raises UserError as `load_encoder`, and where there is neither a head nor labels.
    """
    config = read_config(folder)
    family = encoder_family_of(_model_type(config, folder))
    arch = family.read(config)
    published = read_labels(folder)
    if not labels:
        if not published:
            raise UserError(f"{folder} holds an encoder without a classifier", "train one with: dragoman train")
        labels, multi_label = published, config.get("problem_type") == "multi_label_classification"
    labels = tuple(labels)
    if len(set(labels)) != len(labels):
        raise UserError("a label is given twice", "give each label once in scope.labels")
    kept = bool(published) and set(labels) == set(published)
    wanted = {ours: theirs for ours, theirs in family.head.items() if ours == "dense" or kept}
    found, unused = _renamed(_tensors(arch, folder), family, arch, wanted)
    if kept:
        order = torch.tensor([published.index(label) for label in labels])
        for name in ("head.out.weight", "head.out.bias"):
            if name in found and len(found[name]) == len(published):
                found[name] = found[name][order]
    with hollow():
        net = Classifier(Encoder(arch), Head(arch, len(labels)), labels, multi_label)
    new = set() if kept else {"head.out.weight", "head.out.bias"}
    if not published and not any(name.startswith("head.dense.") for name in found):
        new |= {"head.dense.weight", "head.dense.bias"}
    found |= _fresh_head(arch, len(labels), seed, new)
    _fill(net, found, folder, _spelled(net, arch, family))
    net.fresh, net.unused = tuple(sorted(new)), unused
    return net.eval()


def read_labels(folder: Path) -> tuple[str, ...]:
    """The labels of the classifier in a folder, () where it holds none. Raises UserError where they are not names."""
    config = read_config(folder)
    if not any(name.endswith("ForSequenceClassification") for name in architectures(config)):
        return ()
    if config.get("problem_type") == "regression":
        raise UserError(f"{folder} predicts a number, not a label", "choose another model in models.candidates")
    names = config.get("id2label")
    if not names:  # transformers leaves them out when they are the default ones
        count = config.get("num_labels", 2)
        return tuple(f"LABEL_{index}" for index in range(count if isinstance(count, int) else 2))
    wrong = UserError(f"id2label in {folder / 'config.json'} is not a list of different names numbered from 0", _BELONG)
    if not isinstance(names, dict) or sorted(names) != sorted(map(str, range(len(names)))):
        raise wrong
    labels = tuple(str(names[str(index)]) for index in range(len(names)))
    if len(set(labels)) != len(labels):
        raise wrong
    return labels


def save_classifier(net: Classifier, tokenizer: Tokenizer, folder: Path) -> None:
    """Write a folder that `load_classifier` and transformers (its Auto classes, its pipelines) open alike.

    It is written in place; `core.durable.publish` makes it appear at once. Files are readable by all (mode 0644).
    """
    family = encoder_family_of(net.arch.family)
    names = {
        "architectures": [family.architecture],
        "id2label": {str(index): label for index, label in enumerate(net.labels)},
        "label2id": {label: index for index, label in enumerate(net.labels)},
        "problem_type": "multi_label_classification" if net.multi_label else "single_label_classification",
    }
    tensors = published_names(net, net.arch, family)
    _save(family.write(net.arch) | names, tensors, tokenizer, folder)


def save_encoder(net: Encoder, tokenizer: Tokenizer, folder: Path) -> None:
    """Write a folder that `load_encoder` and transformers' `AutoModel` open alike."""
    family = encoder_family_of(net.arch.family)
    named = published_names(net, net.arch, family)
    tensors = {name.removeprefix(family.prefix): tensor for name, tensor in named.items()}
    architecture = family.architecture.replace("ForSequenceClassification", "Model")
    _save(family.write(net.arch) | {"architectures": [architecture]}, tensors, tokenizer, folder)


def load_lm(folder: Path, dtype: torch.dtype = torch.float32) -> LanguageModel:
    """The language model in a folder, in `dtype` on the CPU, ready to answer: causal, sequence to sequence or masked.

    Raises UserError where the weights are pickled, damaged, or not exactly those that config.json describes.
    """
    config = read_config(folder)
    family = family_of(_model_type(config, folder))
    arch = family.read(config)
    tensors = _tensors(arch, folder, dtype)
    arch = _tied_as_saved(arch, tensors)
    with hollow():
        net = build_lm(arch)
    found, unused = from_published(tensors, net, arch, family.language)
    names = {ours: one.name for one in pairs(net, arch, family.language) for ours in one.ours}
    _fill(net, found, folder, names)
    net.unused = unused
    return net.eval()


def build_lm(arch: Arch) -> LanguageModel:
    """The language model of a shape, its weights whatever they happen to be."""
    made = {"encoder": MaskedLM, "decoder": Decoder, "encoder-decoder": EncoderDecoder}[arch.kind](arch)
    assert isinstance(made, MaskedLM | Decoder | EncoderDecoder)
    return made


def fresh_lm(arch: Arch, seed: int = 0) -> LanguageModel:
    """A language model that has learnt nothing yet, the same for the same seed."""
    net = build_lm(arch)
    initialise(net, arch.initial_std, seed)
    return net


def save_lm(net: LanguageModel, tokenizer: Tokenizer, folder: Path) -> None:
    """Write a folder that `load_lm` and transformers (its Auto classes, `generate`) open alike.

    It is written in place; `core.durable.publish` makes it appear at once.
    """
    family = family_of(net.arch.family)
    ends = sorted(tokenizer.eos_ids)
    said: dict[str, Any] = {"architectures": [family.language.architecture]}
    if ends:
        said["eos_token_id"] = ends[0] if len(ends) == 1 else ends
    if tokenizer.bos_id is not None:
        said["bos_token_id"] = tokenizer.bos_id
    _save(family.write(net.arch) | said, to_published(net, net.arch, family.language), tokenizer, folder)


def _tied_as_saved(arch: Arch, tensors: Mapping[str, Tensor]) -> Arch:
    """T5 1.1 saved anew by transformers says that its head is tied and holds another one: the weights are right."""
    words, head = tensors.get("shared.weight"), tensors.get("lm_head.weight")
    if arch.family != "t5" or words is None or head is None:
        return arch
    return replace(arch, tied=words.dtype == head.dtype and torch.equal(words, head) and arch.tied)


def published_names(net: nn.Module, arch: Arch, family: EncoderFamily) -> dict[str, Tensor]:
    """The tensors of an Encoder or a Classifier by their published names.

    Raises ValueError where a module has another shape than the family's, as one that a tuning wraps: merge it first.
    """
    held = net.state_dict()
    return {theirs: held[ours] for ours, theirs in _spelled(net, arch, family).items()}


def _spelled(net: nn.Module, arch: Arch, family: EncoderFamily) -> dict[str, str]:
    """The published name of each tensor of an Encoder or a Classifier by ours."""
    theirs = {ours: name for name, ours in modules_by_published_name(family, arch).items()}
    named: dict[str, str] = {}
    for name in net.state_dict():
        module, _, leaf = (name if isinstance(net, Classifier) else f"encoder.{name}").rpartition(".")
        if module not in theirs:
            raise ValueError(f"{name} has no published name in {arch.family}: merge the tuning before saving")
        named[name] = f"{theirs[module]}.{leaf}"
    return named


def modules_by_published_name(family: EncoderFamily, arch: Arch) -> dict[str, str]:
    """The published module names of a classifier, as its weight file has them, to ours."""
    return {
        (f"{family.prefix}{theirs}" if ours.startswith("encoder.") else theirs): ours
        for ours, theirs in _modules(family, arch, family.head).items()
    }


def _model_type(config: Mapping[str, Any], folder: Path) -> str:
    name = config.get("model_type")
    if not isinstance(name, str) or not name:
        raise UserError(f"{folder / 'config.json'} does not say its model_type", _BELONG)
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


def _renamed(
    tensors: Mapping[str, Tensor], family: EncoderFamily, arch: Arch, head: Mapping[str, str]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors by our names, and the published names of the known ones that are of no use here.

    A name that is neither is kept as it is: `_fill` refuses it.
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
                raise UserError(f"the tensor {name} stands in the weights twice", _BELONG)
            found[ours] = tensor
        elif any(extra == known or (known.endswith(".") and extra.startswith(known)) for known in family.known_extras):
            unused.append(name)
        else:
            found[name] = tensor
    return found, tuple(sorted(unused))


def _tensors(arch: Arch, folder: Path, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
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
        raise UserError(said, _BELONG)


def _fresh_head(arch: Arch, labels: int, seed: int, wanted: set[str]) -> dict[str, Tensor]:
    head = Head(arch, labels)
    initialise(head, arch.initial_std, seed)
    return {f"head.{name}": tensor for name, tensor in head.state_dict().items() if f"head.{name}" in wanted}


def _fill(net: nn.Module, found: Mapping[str, Tensor], folder: Path, theirs: Mapping[str, str]) -> None:
    """Put the tensors into the net, all of them and nothing else; `theirs` are the names that a message tells."""
    wanted = dict(net.named_parameters())  # a tied one once
    missing, unexpected = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    for problem, names in (("lack", missing), ("hold the unexpected tensor", unexpected)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise UserError(f"the weights in {folder} {problem} {theirs.get(names[0], names[0])}{more}", _BELONG)
    for name, tensor in found.items():
        if not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise UserError(f"{theirs[name]} in {folder} holds {kind}, where a model has floats", _BELONG)
        if tensor.shape != wanted[name].shape:
            said, held = tuple(wanted[name].shape), tuple(tensor.shape)
            told = f"config.json of {folder} gives {theirs[name]} the shape {said}, the weights {held}"
            raise UserError(told, _BELONG)
    new = {id(wanted[name]): nn.Parameter(tensor) for name, tensor in found.items()}
    for module in net.modules():
        for name, parameter in module.named_parameters(recurse=False):
            setattr(module, name, new[id(parameter)])  # where the old one was shared, the new one is


def _save(config: Mapping[str, Any], tensors: Mapping[str, Tensor], tokenizer: Tokenizer, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    dtype = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
    (folder / "config.json").write_text(json.dumps({**config, "dtype": dtype}, indent=2) + "\n", encoding="utf-8")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(plain, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer.save(folder)
    for path in folder.iterdir():
        path.chmod(0o644)
