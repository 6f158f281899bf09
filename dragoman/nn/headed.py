"""Taggers and extractors from folders and into folders, in the published form of token classification and SQuAD."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.encoder import Encoder, initialise
from dragoman.nn.family import EncoderFamily
from dragoman.nn.folder import (
    encoder_family_of,
    fill_net,
    model_type,
    published_names,
    renamed,
    save_folder,
    spelled,
    tell_types,
    tensors_in,
)
from dragoman.nn.heads import Extractor, Tagger, TokenHead
from dragoman.nn.hollow import hollow
from dragoman.nn.store import read_labels
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.weights import architectures, read_config

__all__ = ["load_extractor", "load_tagger", "save_extractor", "save_tagger"]

TAGS = "ForTokenClassification"
ANSWERS = "ForQuestionAnswering"
_OUT = ("head.out.bias", "head.out.weight")


def load_tagger(folder: Path, labels: Sequence[str] = (), seed: int = 0) -> Tagger:
    """The tagger in a folder, or its encoder with a new head for `labels`; float32 on the CPU, in `eval`.

    Without `labels` the folder must hold a tagger, whose tags are kept. With them, a head for the same tags is kept (in
    the order asked for) and another is replaced by one drawn from `seed`, listed in `.fresh`. Raises UserError as
    `nn.store.load_encoder`, and where there is neither a head nor labels.
    """
    published = read_labels(folder, TAGS)
    tags = tuple(labels) or published
    if not tags:
        raise UserError(f"{folder} holds no model that tags words", "train one with: dragoman train objective=tag")
    if len(set(tags)) != len(tags):
        raise UserError("a tag is given twice", "give each tag once in scope.labels")
    kept = bool(published) and set(tags) == set(published)
    arch, family, found, unused = _read(folder, "tag", kept)
    if kept:
        order = torch.tensor([published.index(tag) for tag in tags])
        for name in _OUT:
            if name in found and len(found[name]) == len(published):
                found[name] = found[name][order]
    else:
        found |= _fresh(arch, len(tags), seed)
    with hollow():
        net = Tagger(Encoder(arch), TokenHead(arch, len(tags), arch.head_dropout), tags)
    fill_net(net, found, folder, spelled(net, arch, family))
    net.fresh, net.unused = () if kept else _OUT, unused
    return net.eval()


def load_extractor(folder: Path, seed: int = 0) -> Extractor:
    """The extractor of answers in a folder, or its encoder with a new head drawn from `seed`; float32, in `eval`.

    Raises UserError as `nn.store.load_encoder`.
    """
    kept = any(name.endswith(ANSWERS) for name in architectures(read_config(folder)))
    arch, family, found, unused = _read(folder, "extract", kept)
    if not kept:
        found |= _fresh(arch, 2, seed)
    with hollow():
        net = Extractor(Encoder(arch), TokenHead(arch, 2))
    fill_net(net, found, folder, spelled(net, arch, family))
    net.fresh, net.unused = () if kept else _OUT, unused
    return net.eval()


def save_tagger(net: Tagger, tokenizer: Tokenizer, folder: Path) -> None:
    """Write a folder that `load_tagger` and transformers (AutoModelForTokenClassification, its pipeline) open alike."""
    names = {
        "id2label": {str(index): label for index, label in enumerate(net.labels)},
        "label2id": {label: index for index, label in enumerate(net.labels)},
    }
    _save(net, names, TAGS, tokenizer, folder)


def save_extractor(net: Extractor, tokenizer: Tokenizer, folder: Path) -> None:
    """Write a folder that `load_extractor` and transformers' AutoModelForQuestionAnswering open alike.

    Its tokenizer says that the model wants token types where it does: a pair without them gives other answers.
    """
    _save(net, {}, ANSWERS, tokenizer, folder)
    if net.arch.token_types > 1:
        tell_types(folder)


def _read(folder: Path, task: str, kept: bool) -> tuple[Arch, EncoderFamily, dict[str, Tensor], tuple[str, ...]]:
    """The tensors of a folder by our names, with its head for the task where it is to be kept."""
    config = read_config(folder)
    family = encoder_family_of(model_type(config, folder))
    arch = family.read(config)
    head = family.tag_head if task == "tag" else family.extract_head
    found, unused = renamed(tensors_in(arch, folder), family, arch, head if kept else {})
    return arch, family, found, unused


def _fresh(arch: Arch, answers: int, seed: int) -> dict[str, Tensor]:
    head = TokenHead(arch, answers)
    initialise(head, arch.initial_std, seed)
    return {f"head.{name}": tensor for name, tensor in head.state_dict().items()}


def _save(net: Tagger | Extractor, said: Mapping[str, Any], kind: str, tokenizer: Tokenizer, folder: Path) -> None:
    family = encoder_family_of(net.arch.family)
    architecture = family.architecture.replace("ForSequenceClassification", kind)
    config = family.write(net.arch) | {"architectures": [architecture]} | dict(said)
    save_folder(config, published_names(net, net.arch, family), tokenizer, folder)
