"""Small random models and tokenizers for the tests: big enough to be wrong in every way, and built in a blink."""

import json
from dataclasses import replace
from pathlib import Path

import torch
from tokenizers import Tokenizer as Rust
from tokenizers import normalizers, pre_tokenizers
from tokenizers.models import BPE, WordPiece
from tokenizers.processors import RobertaProcessing, TemplateProcessing
from torch import nn

from dragoman.nn.arch import Arch
from dragoman.nn.encoder import fresh_encoder
from dragoman.nn.heads import Classifier, Extractor, Head, Tagger, TokenHead
from dragoman.nn.store import save_classifier, save_encoder
from dragoman.nn.tokenizer import Tokenizer

__all__ = [
    "ARCHES",
    "FAMILIES",
    "TEXTS",
    "WORDS",
    "amplify",
    "classifier",
    "classifier_folder",
    "encoder_folder",
    "extractor",
    "tagger",
    "tokenizer",
]

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "mat",
    "a",
    "dog",
    "ran",
    "##s",
    "##ing",
    "fast",
    "[",
    "]",
    "sep",
    "pad",
    "mask",
    "!",
    ".",
]
CHARACTERS = [*"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
TEXTS = ["the cat sat on the mat", "a dog ran", "cats running fast! the dog sat.", "", "zzz qqq the"]

_BERT = Arch("bert", 90, 64, 3, 4, 96, 40)
ARCHES = {
    "bert": _BERT,
    "distilbert": replace(
        _BERT, family="distilbert", token_types=0, head_dropout=0.2, head_activation="relu", layers=2, positions=37
    ),
    "roberta": Arch(
        "roberta",
        300,
        64,
        3,
        4,
        96,
        42,
        position_offset=2,
        token_types=1,
        norm_eps=1e-5,
        pad_id=1,
        head_drops_first=True,
    ),
}
FAMILIES = tuple(ARCHES)


def tokenizer(family: str, folder: Path) -> Tokenizer:
    """A tokenizer of the family's own kind, written into the folder and opened from there."""
    folder.mkdir(parents=True, exist_ok=True)
    rust = _byte_pairs() if family == "roberta" else _word_pieces()
    rust.save(str(folder / "tokenizer.json"))
    written = ("<s>", "</s>", "<pad>", "<unk>") if family == "roberta" else ("[CLS]", "[SEP]", "[PAD]", "[UNK]")
    named = dict(zip(("cls_token", "sep_token", "pad_token", "unk_token"), written, strict=True))
    (folder / "special_tokens_map.json").write_text(json.dumps(named))
    return Tokenizer(folder)


def _word_pieces() -> Rust:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = dict.fromkeys([*special, *WORDS, *CHARACTERS])
    rust = Rust(WordPiece(vocab={word: number for number, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    rust.normalizer = normalizers.BertNormalizer()
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rust.add_special_tokens(special)
    pair = "[CLS] $A [SEP] $B:1 [SEP]:1"
    rust.post_processor = TemplateProcessing("[CLS] $A [SEP]", pair, special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return rust


def _byte_pairs() -> Rust:
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("a", "t")]
    words = [*special, *letters, *("".join(pair) for pair in merges)]
    rust = Rust(BPE(vocab={word: number for number, word in enumerate(words)}, merges=merges, unk_token="<unk>"))
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.add_special_tokens(special)
    rust.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return rust


def amplify(net: nn.Module, seed: int = 0) -> nn.Module:
    """Weights far from their start, so that every part is felt: matrices N(0, 1.5 / sqrt(fan_in)), tables N(0, 1)."""
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            for name, values in module.named_parameters(recurse=False):
                if isinstance(module, nn.Embedding):
                    values.normal_(0, 1, generator=dice)
                elif name == "bias":
                    values.normal_(0, 0.3, generator=dice)
                elif values.ndim == 1:
                    values.normal_(1, 0.3, generator=dice)
                else:
                    values.normal_(0, 1.5 / values.shape[1] ** 0.5, generator=dice)
    return net


def classifier(
    family: str, labels: tuple[str, ...] = ("red", "green", "blue"), multi_label: bool = False
) -> Classifier:
    """A classifier with amplified weights, in eval."""
    arch = ARCHES[family]
    net = Classifier(fresh_encoder(arch), Head(arch, len(labels)), labels, multi_label)
    amplify(net)
    return net.eval()


def tagger(family: str, labels: tuple[str, ...] = ("O", "B-animal", "I-animal")) -> Tagger:
    """A tagger with amplified weights, in eval."""
    arch = ARCHES[family]
    net = Tagger(fresh_encoder(arch), TokenHead(arch, len(labels), arch.head_dropout), labels)
    amplify(net)
    return net.eval()


def extractor(family: str) -> Extractor:
    """An extractor of answers with amplified weights, in eval."""
    arch = ARCHES[family]
    net = Extractor(fresh_encoder(arch), TokenHead(arch, 2))
    amplify(net)
    return net.eval()


def classifier_folder(family: str, folder: Path, multi_label: bool = False) -> Path:
    """The folder of such a classifier, tokenizer included."""
    save_classifier(classifier(family, multi_label=multi_label), tokenizer(family, folder.with_name("tokens")), folder)
    return folder


def encoder_folder(family: str, folder: Path) -> Path:
    """The folder of its encoder alone."""
    save_encoder(classifier(family).encoder, tokenizer(family, folder.with_name("tokens")), folder)
    return folder
