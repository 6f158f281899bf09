"""BERT (Devlin et al. 2018) and the smaller models in its clothes, MiniLM among them (Wang et al. 2020)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from dragoman.nn.arch import Arch
from dragoman.nn.family import BERT_MODULES, Language, masked_language, read_bert, write_bert

__all__ = ["Bert"]


@dataclass(frozen=True)
class Bert:
    """BERT: learned positions, a sentence row on every token, erf GELU, layer norm after each half with eps 1e-12."""

    kind: ClassVar[str] = "encoder"
    prefix: ClassVar[str] = "bert."
    architecture: ClassVar[str] = "BertForSequenceClassification"
    encoder: ClassVar[Mapping[str, str]] = BERT_MODULES
    head: ClassVar[Mapping[str, str]] = {"dense": "bert.pooler.dense", "out": "classifier"}
    tag_head: ClassVar[Mapping[str, str]] = {"out": "classifier"}
    extract_head: ClassVar[Mapping[str, str]] = {"out": "qa_outputs"}
    known_extras: ClassVar[tuple[str, ...]] = (
        "embeddings.position_ids",  # a buffer that older versions saved
        "pooler.",  # the head's first layer, for who wants the encoder alone
        "classifier.",  # the head's second layer
        "cls.predictions.",  # masked words
        "cls.seq_relationship.",  # next sentence
        "qa_outputs.",  # answers in a text
    )
    language: ClassVar[Language] = masked_language(
        "BertForMaskedLM",
        "bert.",
        BERT_MODULES,
        {
            "dense": "cls.predictions.transform.dense",
            "norm": "cls.predictions.transform.LayerNorm",
            "head.bias": "cls.predictions.bias",
        },
        ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias"),
    )
    presets: ClassVar[Mapping[str, Arch]] = {
        "tiny": Arch("bert", 30522, 128, 2, 2, 512, 512),  # Turc et al. 2019
        "minilm-l6": Arch("bert", 30522, 384, 6, 12, 1536, 512),
        "base": Arch("bert", 30522, 768, 12, 12, 3072, 512),
        "large": Arch("bert", 30522, 1024, 24, 16, 4096, 512),
    }

    def read(self, config: Mapping[str, Any]) -> Arch:
        """The shape that a config.json describes."""
        return read_bert(config, "bert")

    def write(self, arch: Arch) -> dict[str, Any]:
        """The config.json of a shape."""
        return write_bert(arch)
