"""T5 (Raffel et al. 2020) and T5 1.1 / FLAN-T5: two stacks, distances instead of positions, no scaling of scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.family import Language, number

__all__ = ["T5"]

_LONGEST = 1 << 16  # distances have no end: this one only keeps a mistake from asking for all memory
_FEED_FORWARD = {"relu": ("relu", False), "gated-gelu": ("gelu_tanh", True), "gated-silu": ("silu", True)}


def _modules() -> dict[str, str]:
    names = {"encoder.embeddings.words": "shared", "decoder.head": "lm_head"}
    for side, second in (("encoder", 1), ("decoder", 2)):
        front = f"{side}.block.{{n}}.layer"
        ours = f"{side}.blocks.{{n}}"
        names[f"{side}.sights.relative.table"] = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias"
        names[f"{side}.norm"] = f"{side}.final_layer_norm"
        halves = [("attention", 0, "SelfAttention")] + ([("cross", 1, "EncDecAttention")] if side == "decoder" else [])
        for half, place, theirs in halves:
            names[f"{ours}.{half}_norm"] = f"{front}.{place}.layer_norm"
            for part, letter in (("query", "q"), ("key", "k"), ("value", "v"), ("output", "o")):
                names[f"{ours}.{half}.{part}"] = f"{front}.{place}.{theirs}.{letter}"
        names[f"{ours}.feed_forward_norm"] = f"{front}.{second}.layer_norm"
        for part, theirs in (("gate", "wi_0"), ("up", "wi_1"), ("down", "wo")):
            names[f"{ours}.feed_forward.{part}"] = f"{front}.{second}.DenseReluDense.{theirs}"
    return names


def _arch(width: int, layers: int, heads: int, wide: int, flan: bool = False) -> Arch:
    config = {"vocab_size": 32128, "d_model": width, "num_layers": layers, "num_heads": heads, "d_ff": wide}
    newer = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False} if flan else {}
    return T5().read({**config, **newer})


@dataclass(frozen=True)
class T5:
    """T5: RMSNorm before each half, a table of distances in each stack; 1.1 gates its GELU and unties its head."""

    kind: ClassVar[str] = "encoder-decoder"
    language: ClassVar[Language] = Language(
        "T5ForConditionalGeneration",
        _modules(),
        ungated={
            "encoder.blocks.{n}.feed_forward.up": "encoder.block.{n}.layer.1.DenseReluDense.wi",
            "decoder.blocks.{n}.feed_forward.up": "decoder.block.{n}.layer.2.DenseReluDense.wi",
        },
        copies={
            "encoder.embed_tokens.weight": "encoder.embeddings.words.weight",
            "decoder.embed_tokens.weight": "encoder.embeddings.words.weight",
            "lm_head.weight": "encoder.embeddings.words.weight",
        },
        extras=("EncDecAttention.relative_attention_bias.weight",),  # saved by the first versions, used by none
    )

    @property
    def presets(self) -> Mapping[str, Arch]:
        """The published sizes by name."""
        return {
            "small": _arch(512, 6, 8, 2048),
            "base": _arch(768, 12, 12, 3072),
            "large": _arch(1024, 24, 16, 4096),
            "flan-small": _arch(512, 8, 6, 1024, flan=True),
            "flan-base": _arch(768, 12, 12, 2048, flan=True),
        }

    def read(self, config: Mapping[str, Any]) -> Arch:
        """The shape that a config.json describes; tie_word_embeddings false is the mark of T5 1.1."""
        kind = str(config.get("feed_forward_proj", "relu"))
        if kind not in _FEED_FORWARD:
            raise UserError(
                f"config.json sets feed_forward_proj = '{kind}', which is not known here",
                f"choose another model in models.candidates; known: {', '.join(_FEED_FORWARD)}",
            )
        activation, gated = _FEED_FORWARD[kind]
        width, layers = int(number(config, "d_model")), int(number(config, "num_layers", 6))
        tied = bool(config.get("tie_word_embeddings", True))
        scaled = bool(config.get("scale_decoder_outputs", tied))
        return Arch(
            family="t5",
            kind="encoder-decoder",
            vocabulary=int(number(config, "vocab_size")),
            width=width,
            layers=layers,
            decoder_layers=int(number(config, "num_decoder_layers", layers)),
            heads=int(number(config, "num_heads", 8)),
            head_width=int(number(config, "d_kv", 64)),
            feed_forward=int(number(config, "d_ff")),
            positions=_LONGEST,
            position="relative",
            buckets=int(number(config, "relative_attention_num_buckets", 32)),
            bucket_reach=int(number(config, "relative_attention_max_distance", 128)),
            attention_bias=False,
            output_bias=False,
            attention_scale=1.0,
            feed_forward_bias=False,
            norm="rms",
            norm_place="before",
            norm_eps=float(number(config, "layer_norm_epsilon", 1e-6)),
            final_norm=True,
            token_types=0,
            embedding_norm=False,
            activation=activation,
            gated=gated,
            tied=tied,
            logit_scale=width**-0.5 if scaled and width > 0 else 1.0,
            dropout=float(number(config, "dropout_rate", 0.1)),
            attention_dropout=float(number(config, "dropout_rate", 0.1)),
            pad_id=int(number(config, "pad_token_id", 0)),
            start_id=int(number(config, "decoder_start_token_id", number(config, "pad_token_id", 0))),
        )

    def write(self, arch: Arch) -> dict[str, Any]:
        """The config.json of a shape."""
        shape = (arch.activation, arch.gated)
        return {
            "model_type": "t5",
            "is_encoder_decoder": True,
            "vocab_size": arch.vocabulary,
            "d_model": arch.width,
            "d_kv": arch.head_size,
            "d_ff": arch.feed_forward,
            "num_layers": arch.layers,
            "num_decoder_layers": arch.decoder_layers,
            "num_heads": arch.heads,
            "relative_attention_num_buckets": arch.buckets,
            "relative_attention_max_distance": arch.bucket_reach,
            "dropout_rate": arch.dropout,
            "layer_norm_epsilon": arch.norm_eps,
            "feed_forward_proj": next(theirs for theirs, ours in _FEED_FORWARD.items() if ours == shape),
            "tie_word_embeddings": arch.tied,
            "scale_decoder_outputs": arch.logit_scale != 1.0,
            "pad_token_id": arch.pad_id,
            "decoder_start_token_id": arch.start_id,
        }
