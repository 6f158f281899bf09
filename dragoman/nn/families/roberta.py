"""RoBERTa (Liu et al. 2019): BERT's shape trained longer, its positions counted from pad_id + 1."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from dragoman.nn.arch import Arch
from dragoman.nn.family import BERT_MODULES, Language, masked_language, read_bert, write_bert

__all__ = ["Roberta"]

_BASE = Arch(
    "roberta",
    50265,
    768,
    12,
    12,
    3072,
    514,
    position_offset=2,
    token_types=1,
    norm_eps=1e-5,
    head_drops_first=True,
    pad_id=1,
)


@dataclass(frozen=True)
class Roberta:
    """RoBERTa: as BERT, but eps 1e-5, one sentence row, and two rows of the position table that no token ever uses."""

    kind: ClassVar[str] = "encoder"
    prefix: ClassVar[str] = "roberta."
    architecture: ClassVar[str] = "RobertaForSequenceClassification"
    encoder: ClassVar[Mapping[str, str]] = BERT_MODULES
    head: ClassVar[Mapping[str, str]] = {"dense": "classifier.dense", "out": "classifier.out_proj"}
    tag_head: ClassVar[Mapping[str, str]] = {"out": "classifier"}
    extract_head: ClassVar[Mapping[str, str]] = {"out": "qa_outputs"}
    known_extras: ClassVar[tuple[str, ...]] = (
        "embeddings.position_ids",  # a buffer that older versions saved
        "pooler.",  # saved by some, trained by none
        "classifier.",  # the head, for who wants the encoder alone
        "lm_head.",  # masked words
        "qa_outputs.",  # answers in a text
    )
    language: ClassVar[Language] = masked_language(
        "RobertaForMaskedLM",
        "roberta.",
        BERT_MODULES,
        {"dense": "lm_head.dense", "norm": "lm_head.layer_norm", "head.bias": "lm_head.bias"},
        ("lm_head.decoder.weight", "lm_head.decoder.bias"),
    )
    presets: ClassVar[Mapping[str, Arch]] = {
        "base": _BASE,
        "large": replace(_BASE, width=1024, layers=24, heads=16, feed_forward=4096),
    }

    def read(self, config: Mapping[str, Any]) -> Arch:
        """The shape that a config.json describes."""
        with_pad = {**config, "pad_token_id": config.get("pad_token_id", 1)}
        arch = read_bert(with_pad, "roberta")
        return replace(arch, position_offset=arch.pad_id + 1, head_drops_first=True)

    def write(self, arch: Arch) -> dict[str, Any]:
        """The config.json of a shape."""
        return write_bert(arch)
