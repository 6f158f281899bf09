"""The door to published architectures: what a file in families/ must say so that models load, here and elsewhere."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from dragoman.core.errors import UserError
from dragoman.core.registry import Registry
from dragoman.nn.arch import Arch

__all__ = [
    "BERT_MODULES",
    "FAMILIES",
    "EncoderFamily",
    "Family",
    "Language",
    "activation_name",
    "masked_language",
    "number",
    "published_activation",
    "read_bert",
    "refuse_unsupported",
    "write_bert",
]

FAMILIES = Registry("dragoman.nn.families", "family")


@dataclass(frozen=True)
class Language:
    """How a published language model names its tensors; `{n}` is the number of a block.

    Several of our modules may have one published name: their rows stand on top of each other in one tensor, in the
    order given here.
    """

    architecture: str
    "the class that transformers opens it with"
    modules: Mapping[str, str]
    "our module names (or names of single tensors) to the published ones"
    prefix: str = ""
    "what stands in front of published names, and is left out by some publishers"
    turned: tuple[str, ...] = ()
    "our modules whose weights are published as [in, out]"
    ungated: Mapping[str, str] = field(default_factory=dict)
    "what is named otherwise where the feed-forward part has no gate"
    lifted: tuple[str, ...] = ()
    "our tensors that are published with one more dimension in front"
    copies: Mapping[str, str] = field(default_factory=dict)
    "published names of tied tensors that some write down again, and which of our tensors they are"
    extras: tuple[str, ...] = ()
    "endings of published names that hold nothing that is needed"
    zeros: tuple[str, ...] = ()
    "our tensors that are all zeros where a publisher left them out"


def masked_language(
    architecture: str, prefix: str, encoder: Mapping[str, str], own: Mapping[str, str], copies: tuple[str, str]
) -> Language:
    """The names of an encoder with a masked-LM head; `own` are the head's, `copies` of the words and the bias."""
    modules = {f"encoder.{ours}": f"{prefix}{theirs}" for ours, theirs in encoder.items()}
    return Language(
        architecture,
        modules | dict(own),
        prefix,
        copies=dict(zip(copies, ("encoder.embeddings.words.weight", "head.bias"), strict=True)),
        extras=(
            "embeddings.position_ids",
            "pooler.dense.weight",
            "pooler.dense.bias",
            "seq_relationship.weight",
            "seq_relationship.bias",
        ),
    )


@runtime_checkable
class Family(Protocol):
    """A published architecture: its config.json both ways, and what it can be opened as."""

    @property
    def kind(self) -> str:
        """encoder, decoder or encoder-decoder."""
        ...

    @property
    def language(self) -> Language:
        """How it names the tensors of a language model: masked, causal or sequence to sequence."""
        ...

    @property
    def presets(self) -> Mapping[str, Arch]:
        """The published sizes by name."""
        ...

    def read(self, config: Mapping[str, Any]) -> Arch:
        """The shape that a config.json describes. Raises UserError naming the key that is missing or not supported."""
        ...

    def write(self, arch: Arch) -> dict[str, Any]:
        """The config.json of a shape, as the publisher spells it."""
        ...


@runtime_checkable
class EncoderFamily(Family, Protocol):
    """An architecture that can be opened as an encoder with a head: for a text, for its words, for an answer in it.

    Names are those of modules: tensors without `.weight`, `.bias`.
    """

    @property
    def prefix(self) -> str:
        """What stands in front of the encoder's tensors when a head is saved with it: `bert.`"""
        ...

    @property
    def architecture(self) -> str:
        """The class that `transformers` opens a saved classifier with."""
        ...

    @property
    def encoder(self) -> Mapping[str, str]:
        """Our module names to the published ones, without the prefix; `{n}` is the number of the block."""
        ...

    @property
    def head(self) -> Mapping[str, str]:
        """`dense` and `out` to the published module names, with the prefix where the publisher has it."""
        ...

    @property
    def tag_head(self) -> Mapping[str, str]:
        """`out` of a tagger to the published module name."""
        ...

    @property
    def extract_head(self) -> Mapping[str, str]:
        """`out` of an extractor of answers to the published module name."""
        ...

    @property
    def known_extras(self) -> tuple[str, ...]:
        """What an encoder does not use: names of tensors, or beginnings of names that end in a dot."""
        ...


_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}


def activation_name(config: Mapping[str, Any], key: str, default: str = "gelu") -> str:
    """Our name of the activation that config.json gives under `key`. Raises UserError where there is none."""
    given = str(config.get(key) or default)
    if given not in _ACTIVATIONS:
        raise UserError(
            f"config.json gives {key} = '{given}', which is not known here",
            f"choose another model in models.candidates; known: {', '.join(_ACTIVATIONS)}",
        )
    return _ACTIVATIONS[given]


def published_activation(name: str) -> str:
    """The published name of one of our activations."""
    return next(theirs for theirs, ours in _ACTIVATIONS.items() if ours == name)


def number(config: Mapping[str, Any], key: str, default: int | float | None = None) -> int | float:
    """A number of config.json. Raises UserError naming the key where it is missing without a default, or no number."""
    given = config.get(key)
    given = default if given is None else given
    if isinstance(given, bool) or not isinstance(given, int | float) or not abs(given) < math.inf:
        said = "is missing" if given is None else f"is {given!r}, not a number"
        raise UserError(f"{key} in config.json {said}", "give the config.json that was published with these weights")
    return given


def refuse_unsupported(config: Mapping[str, Any], wanted: Mapping[str, tuple[Any, ...]]) -> None:
    """Raise UserError where config.json switches on something that changes the answers and is not built here."""
    for key, allowed in wanted.items():
        if key in config and config[key] not in allowed:
            raise UserError(
                f"config.json sets {key} = {config[key]!r}, which is not supported for this architecture",
                "choose another model in models.candidates",
            )


def read_bert(config: Mapping[str, Any], family: str) -> Arch:
    """The shape in the spelling of BERT's config.json, which RoBERTa's shares."""
    refuse_unsupported(
        config, {"position_embedding_type": ("absolute", None), "is_decoder": (False,), "add_cross_attention": (False,)}
    )
    dropout = number(config, "hidden_dropout_prob", 0.1)
    pad_id = int(number(config, "pad_token_id", 0))
    return Arch(
        family=family,
        vocabulary=int(number(config, "vocab_size")),
        width=int(number(config, "hidden_size")),
        layers=int(number(config, "num_hidden_layers")),
        heads=int(number(config, "num_attention_heads")),
        feed_forward=int(number(config, "intermediate_size")),
        positions=int(number(config, "max_position_embeddings")),
        token_types=int(number(config, "type_vocab_size", 2)),
        norm_eps=float(number(config, "layer_norm_eps", 1e-12)),
        activation=activation_name(config, "hidden_act"),
        dropout=float(dropout),
        attention_dropout=float(number(config, "attention_probs_dropout_prob", 0.1)),
        head_dropout=float(number(config, "classifier_dropout", dropout)),
        pad_id=pad_id,
        initial_std=float(number(config, "initializer_range", 0.02)),
    )


def write_bert(arch: Arch) -> dict[str, Any]:
    """The config.json of a shape in BERT's spelling."""
    return {
        "model_type": arch.family,
        "vocab_size": arch.vocabulary,
        "hidden_size": arch.width,
        "num_hidden_layers": arch.layers,
        "num_attention_heads": arch.heads,
        "intermediate_size": arch.feed_forward,
        "max_position_embeddings": arch.positions,
        "type_vocab_size": arch.token_types,
        "layer_norm_eps": arch.norm_eps,
        "hidden_act": published_activation(arch.activation),
        "hidden_dropout_prob": arch.dropout,
        "attention_probs_dropout_prob": arch.attention_dropout,
        "classifier_dropout": arch.head_dropout,
        "pad_token_id": arch.pad_id,
        "initializer_range": arch.initial_std,
        "position_embedding_type": "absolute",
    }


BERT_MODULES: Mapping[str, str] = {
    "embeddings.words": "embeddings.word_embeddings",
    "embeddings.positions.table": "embeddings.position_embeddings",
    "embeddings.types": "embeddings.token_type_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
    "blocks.{n}.attention.query": "encoder.layer.{n}.attention.self.query",
    "blocks.{n}.attention.key": "encoder.layer.{n}.attention.self.key",
    "blocks.{n}.attention.value": "encoder.layer.{n}.attention.self.value",
    "blocks.{n}.attention.output": "encoder.layer.{n}.attention.output.dense",
    "blocks.{n}.attention_norm": "encoder.layer.{n}.attention.output.LayerNorm",
    "blocks.{n}.feed_forward.up": "encoder.layer.{n}.intermediate.dense",
    "blocks.{n}.feed_forward.down": "encoder.layer.{n}.output.dense",
    "blocks.{n}.feed_forward_norm": "encoder.layer.{n}.output.LayerNorm",
}
