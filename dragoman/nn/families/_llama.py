"""The spelling that Llama's children share: config.json both ways and the names of their tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch, Rope
from dragoman.nn.family import Language, activation_name, number, published_activation, refuse_unsupported

__all__ = [
    "LLAMA_MODULES",
    "language",
    "read_llama",
    "read_rope",
    "read_window",
    "sized",
    "windows",
    "write_llama",
    "write_rope",
    "write_window",
]

LLAMA_MODULES: Mapping[str, str] = {
    "embeddings.words": "model.embed_tokens",
    "blocks.{n}.attention_norm": "model.layers.{n}.input_layernorm",
    "blocks.{n}.attention.query": "model.layers.{n}.self_attn.q_proj",
    "blocks.{n}.attention.key": "model.layers.{n}.self_attn.k_proj",
    "blocks.{n}.attention.value": "model.layers.{n}.self_attn.v_proj",
    "blocks.{n}.attention.output": "model.layers.{n}.self_attn.o_proj",
    "blocks.{n}.attention.query_norm": "model.layers.{n}.self_attn.q_norm",
    "blocks.{n}.attention.key_norm": "model.layers.{n}.self_attn.k_norm",
    "blocks.{n}.feed_forward_norm": "model.layers.{n}.post_attention_layernorm",
    "blocks.{n}.feed_forward.gate": "model.layers.{n}.mlp.gate_proj",
    "blocks.{n}.feed_forward.up": "model.layers.{n}.mlp.up_proj",
    "blocks.{n}.feed_forward.down": "model.layers.{n}.mlp.down_proj",
    "norm": "model.norm",
    "head": "lm_head",
}

_SCALINGS = {"default": "none", "linear": "linear", "llama3": "llama3", "yarn": "yarn"}


def language(architecture: str, modules: Mapping[str, str] = LLAMA_MODULES) -> Language:
    """The names of a Llama-like causal model."""
    return Language(
        architecture,
        modules,
        prefix="model.",
        copies={"lm_head.weight": "embeddings.words.weight"},
        extras=(".rotary_emb.inv_freq",),  # older versions saved the angles
    )


def sized(vocabulary: int, width: int, layers: int, heads: int, groups: int, wide: int, longest: int) -> dict[str, Any]:
    """The part of a config.json that a published size gives."""
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": groups,
        "intermediate_size": wide,
        "max_position_embeddings": longest,
    }


def read_llama(config: Mapping[str, Any], family: str) -> Arch:
    """The shape in Llama's spelling."""
    refuse_unsupported(
        config,
        {
            "pretraining_tp": (1, None),
            "rope_interleaved": (False, None),
            "attn_logit_softcapping": (None,),
            "final_logit_softcapping": (None,),
            "use_bidirectional_attention": (None, False),
            "partial_rotary_factor": (1, 1.0, None),
        },
    )
    pad_id = config.get("pad_token_id")
    width, heads = int(number(config, "hidden_size")), int(number(config, "num_attention_heads"))
    return Arch(
        family=family,
        kind="decoder",
        vocabulary=int(number(config, "vocab_size")),
        width=width,
        layers=int(number(config, "num_hidden_layers")),
        heads=heads,
        kv_heads=int(number(config, "num_key_value_heads", heads)),
        head_width=int(number(config, "head_dim", 0 if heads < 1 or width % heads else width // heads)),
        feed_forward=int(number(config, "intermediate_size")),
        positions=int(number(config, "max_position_embeddings", 2048)),
        attention_bias=bool(config.get("attention_bias", False)),
        output_bias=bool(config.get("attention_bias", False)),
        feed_forward_bias=bool(config.get("mlp_bias", False)),
        norm="rms",
        norm_place="before",
        norm_eps=float(number(config, "rms_norm_eps", 1e-6)),
        final_norm=True,
        position="rotary",
        rope=read_rope(config),
        token_types=0,
        embedding_norm=False,
        activation=activation_name(config, "hidden_act", "silu"),
        gated=True,
        tied=bool(config.get("tie_word_embeddings", False)),
        dropout=0.0,
        attention_dropout=float(number(config, "attention_dropout", 0.0)),
        pad_id=pad_id if isinstance(pad_id, int) and 0 <= pad_id < number(config, "vocab_size") else 0,
        initial_std=float(number(config, "initializer_range", 0.02)),
    )


def write_llama(arch: Arch) -> dict[str, Any]:
    """The config.json of a shape in Llama's spelling."""
    filled = {"pad_token_id": arch.pad_id} if arch.pad_id else {}  # most have none, and 0 is a word there
    return {
        **filled,
        "model_type": arch.family,
        "vocab_size": arch.vocabulary,
        "hidden_size": arch.width,
        "num_hidden_layers": arch.layers,
        "num_attention_heads": arch.heads,
        "num_key_value_heads": arch.groups,
        "head_dim": arch.head_size,
        "intermediate_size": arch.feed_forward,
        "max_position_embeddings": arch.positions,
        "rms_norm_eps": arch.norm_eps,
        "rope_parameters": write_rope(arch.rope),
        "hidden_act": published_activation(arch.activation),
        "tie_word_embeddings": arch.tied,
        "attention_dropout": arch.attention_dropout,
        "initializer_range": arch.initial_std,
    }


def read_rope(config: Mapping[str, Any], theta: float = 10_000.0) -> Rope:
    """How positions turn, in today's spelling (rope_parameters) or the older one (rope_theta, rope_scaling)."""
    given = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(given, Mapping):
        raise UserError(f"rope_parameters in config.json is {given!r}, not a table", "give the published config.json")
    scaling = str(given.get("rope_type") or given.get("type") or "default")
    refuse_unsupported({"rope_type": scaling, **given}, {
        "rope_type": tuple(_SCALINGS),
        "partial_rotary_factor": (1, 1.0, None),
        "mscale": (None,),
        "mscale_all_dim": (None,),
    })  # fmt: skip
    stretched = scaling in ("llama3", "yarn")
    longest = number(config, "max_position_embeddings", 2048)
    return Rope(
        theta=float(number(given, "rope_theta", number(config, "rope_theta", theta))),
        scaling=_SCALINGS[scaling],
        factor=float(number(given, "factor", 1.0)),
        original=int(number(given, "original_max_position_embeddings", longest)) if stretched else 0,
        low=float(number(given, "low_freq_factor", 1.0)),
        high=float(number(given, "high_freq_factor", 4.0)),
        beta_fast=float(number(given, "beta_fast", 32.0)),
        beta_slow=float(number(given, "beta_slow", 1.0)),
        attention=float(number(given, "attention_factor", 0.0)),
        truncate=bool(given.get("truncate", True)),
    )


def write_rope(rope: Rope) -> dict[str, Any]:
    """The rope_parameters of a config.json."""
    said: dict[str, Any] = {
        "rope_type": "default" if rope.scaling == "none" else rope.scaling,
        "rope_theta": rope.theta,
    }
    if rope.scaling == "none":
        return said
    said["factor"] = rope.factor
    if rope.scaling in ("llama3", "yarn"):
        said["original_max_position_embeddings"] = rope.original
    if rope.scaling == "llama3":
        said |= {"low_freq_factor": rope.low, "high_freq_factor": rope.high}
    if rope.scaling == "yarn":
        said |= {"beta_fast": rope.beta_fast, "beta_slow": rope.beta_slow, "truncate": rope.truncate}
        said |= {"attention_factor": rope.attention} if rope.attention else {}
    return said


def windows(config: Mapping[str, Any], default: Sequence[bool]) -> tuple[bool, ...]:
    """Which layers have the window, as layer_types says, or as it is by default."""
    given = config.get("layer_types")
    if given is None:
        return tuple(default)
    known = {"sliding_attention": True, "full_attention": False}
    if not isinstance(given, list) or any(not isinstance(kind, str) or kind not in known for kind in given):
        raise UserError("layer_types in config.json names a layer that is not built here", "choose another model")
    return tuple(known[kind] for kind in given)


def read_window(config: Mapping[str, Any], arch: Arch) -> Arch:
    """The shape with Qwen's window, which most of its models leave unused."""
    if not config.get("use_sliding_window", False):
        return arch
    first = int(number(config, "max_window_layers", 28))
    windowed = windows(config, [layer >= first for layer in range(arch.layers)])
    return replace(arch, window=int(number(config, "sliding_window", 4096)), windowed=windowed)


def write_window(arch: Arch) -> dict[str, Any]:
    """Qwen's window in its config.json."""
    if not arch.window:
        return {"use_sliding_window": False}
    kinds = ["sliding_attention" if arch.reach(layer) else "full_attention" for layer in range(arch.layers)]
    return {"use_sliding_window": True, "sliding_window": arch.window, "layer_types": kinds}
