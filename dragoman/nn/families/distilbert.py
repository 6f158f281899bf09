"""DistilBERT (Sanh et al. 2019): every second block of BERT, without sentence rows and without a pooler."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from dragoman.nn.arch import Arch
from dragoman.nn.family import (
    Language,
    activation_name,
    masked_language,
    number,
    published_activation,
    refuse_unsupported,
)

__all__ = ["Distilbert"]


_MODULES: Mapping[str, str] = {
    "embeddings.words": "embeddings.word_embeddings",
    "embeddings.positions.table": "embeddings.position_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
    "blocks.{n}.attention.query": "transformer.layer.{n}.attention.q_lin",
    "blocks.{n}.attention.key": "transformer.layer.{n}.attention.k_lin",
    "blocks.{n}.attention.value": "transformer.layer.{n}.attention.v_lin",
    "blocks.{n}.attention.output": "transformer.layer.{n}.attention.out_lin",
    "blocks.{n}.attention_norm": "transformer.layer.{n}.sa_layer_norm",
    "blocks.{n}.feed_forward.up": "transformer.layer.{n}.ffn.lin1",
    "blocks.{n}.feed_forward.down": "transformer.layer.{n}.ffn.lin2",
    "blocks.{n}.feed_forward_norm": "transformer.layer.{n}.output_layer_norm",
}


@dataclass(frozen=True)
class Distilbert:
    """DistilBERT: BERT's mathematics under other names; its head bends with relu."""

    kind: ClassVar[str] = "encoder"
    prefix: ClassVar[str] = "distilbert."
    architecture: ClassVar[str] = "DistilBertForSequenceClassification"
    encoder: ClassVar[Mapping[str, str]] = _MODULES
    head: ClassVar[Mapping[str, str]] = {"dense": "pre_classifier", "out": "classifier"}
    tag_head: ClassVar[Mapping[str, str]] = {"out": "classifier"}
    extract_head: ClassVar[Mapping[str, str]] = {"out": "qa_outputs"}
    known_extras: ClassVar[tuple[str, ...]] = (
        "embeddings.position_ids",  # a buffer that older versions saved
        "pre_classifier.",  # the head's first layer, for who wants the encoder alone
        "classifier.",  # the head's second layer
        "vocab_transform.",  # masked words
        "vocab_layer_norm.",
        "vocab_projector.",
        "qa_outputs.",  # answers in a text
    )
    language: ClassVar[Language] = masked_language(
        "DistilBertForMaskedLM",
        "distilbert.",
        _MODULES,
        {"dense": "vocab_transform", "norm": "vocab_layer_norm", "head.bias": "vocab_projector.bias"},
        ("vocab_projector.weight", "vocab_projector.bias"),
    )
    presets: ClassVar[Mapping[str, Arch]] = {
        "base": Arch(
            "distilbert", 30522, 768, 6, 12, 3072, 512, token_types=0, head_dropout=0.2, head_activation="relu"
        ),
    }

    def read(self, config: Mapping[str, Any]) -> Arch:
        """The shape that a config.json describes. Sinusoidal positions are saved as a table like learned ones."""
        refuse_unsupported(config, {"is_decoder": (False,)})
        return Arch(
            family="distilbert",
            vocabulary=int(number(config, "vocab_size")),
            width=int(number(config, "dim")),
            layers=int(number(config, "n_layers")),
            heads=int(number(config, "n_heads")),
            feed_forward=int(number(config, "hidden_dim")),
            positions=int(number(config, "max_position_embeddings")),
            token_types=0,
            activation=activation_name(config, "activation"),
            dropout=float(number(config, "dropout", 0.1)),
            attention_dropout=float(number(config, "attention_dropout", 0.1)),
            head_dropout=float(number(config, "seq_classif_dropout", 0.2)),
            head_activation="relu",
            pad_id=int(number(config, "pad_token_id", 0)),
            initial_std=float(number(config, "initializer_range", 0.02)),
        )

    def write(self, arch: Arch) -> dict[str, Any]:
        """The config.json of a shape."""
        return {
            "model_type": "distilbert",
            "vocab_size": arch.vocabulary,
            "dim": arch.width,
            "n_layers": arch.layers,
            "n_heads": arch.heads,
            "hidden_dim": arch.feed_forward,
            "max_position_embeddings": arch.positions,
            "sinusoidal_pos_embds": False,
            "activation": published_activation(arch.activation),
            "dropout": arch.dropout,
            "attention_dropout": arch.attention_dropout,
            "seq_classif_dropout": arch.head_dropout,
            "pad_token_id": arch.pad_id,
            "initializer_range": arch.initial_std,
        }
