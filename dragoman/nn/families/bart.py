"""BART (Lewis et al. 2020): BERT's blocks for reading, GPT's for writing, and cross-attention between."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.family import Language, activation_name, number, published_activation, refuse_unsupported

__all__ = ["Bart"]

_OFFSET = 2  # the first two rows of each table of positions are used by no token (a habit of fairseq)


def _modules() -> dict[str, str]:
    names = {"encoder.embeddings.words": "model.shared", "decoder.head": "lm_head"}
    names["decoder.head.bias"] = "final_logits_bias"
    for side in ("encoder", "decoder"):
        ours, theirs = f"{side}.blocks.{{n}}", f"model.{side}.layers.{{n}}"
        names[f"{side}.embeddings.positions.table"] = f"model.{side}.embed_positions"
        names[f"{side}.embeddings.norm"] = f"model.{side}.layernorm_embedding"
        halves = [("attention", "self_attn")] + ([("cross", "encoder_attn")] if side == "decoder" else [])
        for half, name in halves:
            names[f"{ours}.{half}_norm"] = f"{theirs}.{name}_layer_norm"
            for part, letter in (("query", "q_proj"), ("key", "k_proj"), ("value", "v_proj"), ("output", "out_proj")):
                names[f"{ours}.{half}.{part}"] = f"{theirs}.{name}.{letter}"
        names[f"{ours}.feed_forward.up"] = f"{theirs}.fc1"
        names[f"{ours}.feed_forward.down"] = f"{theirs}.fc2"
        names[f"{ours}.feed_forward_norm"] = f"{theirs}.final_layer_norm"
    return names


@dataclass(frozen=True)
class Bart:
    """BART: learned positions from row 2, post-LN, erf GELU, the states normalised before the first block."""

    kind: ClassVar[str] = "encoder-decoder"
    language: ClassVar[Language] = Language(
        "BartForConditionalGeneration",
        _modules(),
        prefix="model.",  # left out in the files of its first publisher, as is the bias that no training moved
        zeros=("decoder.head.bias",),
        lifted=("decoder.head.bias",),
        copies={
            "model.encoder.embed_tokens.weight": "encoder.embeddings.words.weight",
            "model.decoder.embed_tokens.weight": "encoder.embeddings.words.weight",
            "lm_head.weight": "encoder.embeddings.words.weight",
        },
        extras=("encoder.version", "decoder.version"),
    )

    @property
    def presets(self) -> Mapping[str, Arch]:
        """The published sizes by name."""
        base = {"vocab_size": 50265, "d_model": 768, "max_position_embeddings": 1024}
        for side in ("encoder", "decoder"):
            base |= {f"{side}_layers": 6, f"{side}_ffn_dim": 3072, f"{side}_attention_heads": 12}
        large = {**base, "d_model": 1024}
        for side in ("encoder", "decoder"):
            large |= {f"{side}_layers": 12, f"{side}_ffn_dim": 4096, f"{side}_attention_heads": 16}
        return {"base": self.read(base), "large": self.read(large)}

    def read(self, config: Mapping[str, Any]) -> Arch:
        """The shape that a config.json describes."""
        refuse_unsupported(config, {"add_final_layer_norm": (False,), "normalize_before": (False,)})
        heads = int(number(config, "encoder_attention_heads", 16))
        if int(number(config, "decoder_attention_heads", 16)) != heads:
            said = f"config.json gives the encoder {heads} heads and the decoder another number"
            raise UserError(said, "choose another model in models.candidates")
        width = int(number(config, "d_model", 1024))
        return Arch(
            family="bart",
            kind="encoder-decoder",
            vocabulary=int(number(config, "vocab_size")),
            width=width,
            layers=int(number(config, "encoder_layers", 12)),
            decoder_layers=int(number(config, "decoder_layers", 12)),
            heads=heads,
            feed_forward=int(number(config, "encoder_ffn_dim", 4096)),
            decoder_feed_forward=int(number(config, "decoder_ffn_dim", 4096)),
            positions=int(number(config, "max_position_embeddings", 1024)) + _OFFSET,
            position_offset=_OFFSET,
            norm_eps=1e-5,
            token_types=0,
            embedding_scale=width**0.5 if config.get("scale_embedding") else 1.0,
            activation=activation_name(config, "activation_function"),
            tied=bool(config.get("tie_word_embeddings", True)),
            head_bias=True,
            dropout=float(number(config, "dropout", 0.1)),
            attention_dropout=float(number(config, "attention_dropout", 0.0)),
            pad_id=int(number(config, "pad_token_id", 1)),
            start_id=int(number(config, "decoder_start_token_id", 2)),
            initial_std=float(number(config, "init_std", 0.02)),
        )

    def write(self, arch: Arch) -> dict[str, Any]:
        """The config.json of a shape."""
        said = {
            "model_type": "bart",
            "is_encoder_decoder": True,
            "vocab_size": arch.vocabulary,
            "d_model": arch.width,
            "max_position_embeddings": arch.positions - arch.position_offset,
            "scale_embedding": arch.embedding_scale != 1.0,
            "activation_function": published_activation(arch.activation),
            "tie_word_embeddings": arch.tied,
            "dropout": arch.dropout,
            "attention_dropout": arch.attention_dropout,
            "pad_token_id": arch.pad_id,
            "decoder_start_token_id": arch.start_id,
            "init_std": arch.initial_std,
        }
        for side, layers, wide in (
            ("encoder", arch.layers, arch.feed_forward),
            ("decoder", arch.decoder_layers, arch.decoder_feed_forward or arch.feed_forward),
        ):
            said |= {f"{side}_layers": layers, f"{side}_ffn_dim": wide, f"{side}_attention_heads": arch.heads}
        return said
