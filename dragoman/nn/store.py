"""Models from folders and into folders: what Dragoman saves, transformers opens, and the other way round."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.encoder import Encoder, initialise
from dragoman.nn.folder import (
    BELONG,
    encoder_family_of,
    family_of,
    fill_net,
    model_type,
    modules_by_published_name,
    published_names,
    refuse_hollow,
    renamed,
    save_folder,
    spelled,
    tensors_in,
)
from dragoman.nn.heads import Classifier, Head
from dragoman.nn.hollow import hollow
from dragoman.nn.masked import MaskedLM
from dragoman.nn.names import from_published, pairs, to_published
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.weights import architectures, read_config

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


def read_arch(folder: Path) -> Arch:
    """The shape of the model in a folder; no weight is read. Raises UserError where config.json is bad or not known."""
    config = read_config(folder)
    return family_of(model_type(config, folder)).read(config)


def load_encoder(folder: Path) -> Encoder:
    """The encoder in a folder, in float32 on the CPU, ready to answer; heads are left out, listed in `.unused`.

    Raises UserError where the weights are pickled, damaged, or not exactly those that config.json describes.
    """
    config = read_config(folder)
    family = encoder_family_of(model_type(config, folder))
    arch = family.read(config)
    found, unused = renamed(tensors_in(arch, folder), family, arch, {})
    with hollow():  # every number comes from the folder
        net = Encoder(arch)
    names = spelled(net, arch, family)
    fill_net(net, {name.removeprefix("encoder."): tensor for name, tensor in found.items()}, folder, names)
    net.unused = unused
    return net.eval()


def load_classifier(folder: Path, labels: Sequence[str] = (), multi_label: bool = False, seed: int = 0) -> Classifier:
    """The classifier in a folder, or its encoder with a new head for `labels`; float32 on the CPU, in `eval`.

    Without `labels` the folder must hold a classifier, whose labels are kept. With them, a head for the same labels
    is kept (in the order asked for) and another is replaced; what is new is drawn from `seed`, listed in `.fresh`.
    Raises UserError as `load_encoder`, and where there is neither a head nor labels.
    """
    config = read_config(folder)
    family = encoder_family_of(model_type(config, folder))
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
    found, unused = renamed(tensors_in(arch, folder), family, arch, wanted)
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
    fill_net(net, found, folder, spelled(net, arch, family))
    net.fresh, net.unused = tuple(sorted(new)), unused
    return net.eval()


def read_labels(folder: Path, kind: str = "ForSequenceClassification") -> tuple[str, ...]:
    """The labels of the classifier in a folder, () where it holds none. Raises UserError where they are not names.

    `kind` is the end of the published class: `ForTokenClassification` asks for a tagger's.
    """
    config = read_config(folder)
    if not any(name.endswith(kind) for name in architectures(config)):
        return ()
    if config.get("problem_type") == "regression":
        raise UserError(f"{folder} predicts a number, not a label", "choose another model in models.candidates")
    names = config.get("id2label")
    if not names:  # transformers leaves them out when they are the default ones
        count = config.get("num_labels", 2)
        return tuple(f"LABEL_{index}" for index in range(count if isinstance(count, int) else 2))
    wrong = UserError(f"id2label in {folder / 'config.json'} is not a list of different names numbered from 0", BELONG)
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
    save_folder(family.write(net.arch) | names, tensors, tokenizer, folder)


def save_encoder(net: Encoder, tokenizer: Tokenizer, folder: Path) -> None:
    """Write a folder that `load_encoder` and transformers' `AutoModel` open alike."""
    family = encoder_family_of(net.arch.family)
    named = published_names(net, net.arch, family)
    tensors = {name.removeprefix(family.prefix): tensor for name, tensor in named.items()}
    architecture = family.architecture.replace("ForSequenceClassification", "Model")
    save_folder(family.write(net.arch) | {"architectures": [architecture]}, tensors, tokenizer, folder)


def load_lm(folder: Path, dtype: torch.dtype = torch.float32) -> LanguageModel:
    """The language model in a folder, in `dtype` on the CPU, ready to answer: causal, sequence to sequence or masked.

    Raises UserError where the weights are pickled, damaged, or not exactly those that config.json describes.
    """
    config = read_config(folder)
    family = family_of(model_type(config, folder))
    arch = family.read(config)
    tensors = tensors_in(arch, folder, dtype)
    arch = _tied_as_saved(arch, tensors)
    with hollow():
        net = build_lm(arch)
    found, unused = from_published(tensors, net, arch, family.language)
    names = {ours: one.name for one in pairs(net, arch, family.language) for ours in one.ours}
    fill_net(net, found, folder, names)
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
    save_folder(family.write(net.arch) | said, to_published(net, net.arch, family.language), tokenizer, folder)


def _tied_as_saved(arch: Arch, tensors: Mapping[str, Tensor]) -> Arch:
    """T5 1.1 saved anew by transformers says that its head is tied and holds another one: the weights are right."""
    words, head = tensors.get("shared.weight"), tensors.get("lm_head.weight")
    if arch.family != "t5" or words is None or head is None:
        return arch
    return replace(arch, tied=words.dtype == head.dtype and torch.equal(words, head) and arch.tied)


def _fresh_head(arch: Arch, labels: int, seed: int, wanted: set[str]) -> dict[str, Tensor]:
    head = Head(arch, labels)
    initialise(head, arch.initial_std, seed)
    return {f"head.{name}": tensor for name, tensor in head.state_dict().items() if f"head.{name}" in wanted}
