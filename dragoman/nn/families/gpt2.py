"""GPT-2 (Radford et al. 2019): the decoder in its plainest form, with matrices that stand [in, out]."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from dragoman.nn.arch import Arch
from dragoman.nn.family import Language, activation_name, number, published_activation, refuse_unsupported

__all__ = ["Gpt2"]


def _arch(vocabulary: int, width: int, layers: int, heads: int, positions: int = 1024, inner: int = 0) -> Arch:
    return Arch(
        "gpt2",
        vocabulary,
        width,
        layers,
        heads,
        inner or 4 * width,
        positions,
        kind="decoder",
        norm_place="before",
        norm_eps=1e-5,
        final_norm=True,
        token_types=0,
        embedding_norm=False,
        activation="gelu_tanh",
    )


@dataclass(frozen=True)
class Gpt2:
    """GPT-2: learned positions, pre-LN, tanh GELU, query, key and value in one matrix, the words' table tied."""

    kind: ClassVar[str] = "decoder"
    language: ClassVar[Language] = Language(
        "GPT2LMHeadModel",
        {
            "embeddings.words": "transformer.wte",
            "embeddings.positions.table": "transformer.wpe",
            "blocks.{n}.attention_norm": "transformer.h.{n}.ln_1",
            "blocks.{n}.attention.query": "transformer.h.{n}.attn.c_attn",
            "blocks.{n}.attention.key": "transformer.h.{n}.attn.c_attn",
            "blocks.{n}.attention.value": "transformer.h.{n}.attn.c_attn",
            "blocks.{n}.attention.output": "transformer.h.{n}.attn.c_proj",
            "blocks.{n}.feed_forward_norm": "transformer.h.{n}.ln_2",
            "blocks.{n}.feed_forward.up": "transformer.h.{n}.mlp.c_fc",
            "blocks.{n}.feed_forward.down": "transformer.h.{n}.mlp.c_proj",
            "norm": "transformer.ln_f",
            "head": "lm_head",
        },
        prefix="transformer.",
        turned=(
            "blocks.{n}.attention.query",
            "blocks.{n}.attention.key",
            "blocks.{n}.attention.value",
            "blocks.{n}.attention.output",
            "blocks.{n}.feed_forward.up",
            "blocks.{n}.feed_forward.down",
        ),
        copies={"lm_head.weight": "embeddings.words.weight"},
        extras=(".attn.bias", ".attn.masked_bias"),  # the triangle of ones that older versions saved
    )
    presets: ClassVar[Mapping[str, Arch]] = {
        "small": _arch(50257, 768, 12, 12),
        "medium": _arch(50257, 1024, 24, 16),
        "large": _arch(50257, 1280, 36, 20),
        "xl": _arch(50257, 1600, 48, 25),
    }

    def read(self, config: Mapping[str, Any]) -> Arch:
        """The shape that a config.json describes."""
        refuse_unsupported(
            config,
            {
                "scale_attn_weights": (True,),
                "scale_attn_by_inverse_layer_idx": (False,),
                "add_cross_attention": (False,),
            },
        )
        width = int(number(config, "n_embd"))
        return Arch(
            family="gpt2",
            kind="decoder",
            vocabulary=int(number(config, "vocab_size")),
            width=width,
            layers=int(number(config, "n_layer")),
            heads=int(number(config, "n_head")),
            feed_forward=int(number(config, "n_inner", 4 * width)),
            positions=int(number(config, "n_positions", 1024)),
            norm_place="before",
            norm_eps=float(number(config, "layer_norm_epsilon", 1e-5)),
            final_norm=True,
            token_types=0,
            embedding_norm=False,
            activation=activation_name(config, "activation_function", "gelu_new"),
            tied=bool(config.get("tie_word_embeddings", True)),
            dropout=float(number(config, "resid_pdrop", 0.1)),
            attention_dropout=float(number(config, "attn_pdrop", 0.1)),
            initial_std=float(number(config, "initializer_range", 0.02)),
        )

    def write(self, arch: Arch) -> dict[str, Any]:
        """The config.json of a shape."""
        return {
            "model_type": "gpt2",
            "vocab_size": arch.vocabulary,
            "n_embd": arch.width,
            "n_layer": arch.layers,
            "n_head": arch.heads,
            "n_inner": arch.feed_forward,
            "n_positions": arch.positions,
            "layer_norm_epsilon": arch.norm_eps,
            "activation_function": published_activation(arch.activation),
            "tie_word_embeddings": arch.tied,
            "embd_pdrop": arch.dropout,
            "resid_pdrop": arch.dropout,
            "attn_pdrop": arch.attention_dropout,
            "initializer_range": arch.initial_std,
        }
