"""Gemma 3 (Gemma Team 2025), the text model: norms around each half, five layers with a window to one without."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.families._llama import (
    LLAMA_MODULES,
    language,
    read_llama,
    read_rope,
    sized,
    windows,
    write_llama,
    write_rope,
)
from dragoman.nn.family import Language, activation_name, number

__all__ = ["Gemma3Text"]

_MODULES = {
    **LLAMA_MODULES,
    "blocks.{n}.attention_after": "model.layers.{n}.post_attention_layernorm",
    "blocks.{n}.feed_forward_norm": "model.layers.{n}.pre_feedforward_layernorm",
    "blocks.{n}.feed_forward_after": "model.layers.{n}.post_feedforward_layernorm",
}


def _read(config: Mapping[str, Any]) -> Arch:
    ropes = config.get("rope_parameters") or {}
    ropes = ropes if isinstance(ropes, Mapping) and "full_attention" in ropes else {}
    far, near = dict(config), {"rope_theta": config.get("rope_local_base_freq")}
    if ropes:
        far["rope_parameters"], near["rope_parameters"] = ropes["full_attention"], ropes.get("sliding_attention")
    longest = number(config, "max_position_embeddings", 131072)
    arch = read_llama({**far, "max_position_embeddings": longest}, "gemma3_text")
    pattern = int(number(config, "sliding_window_pattern", 6))
    scalar = float(number(config, "query_pre_attn_scalar", 256))
    if pattern < 1 or scalar <= 0:
        said = f"config.json sets sliding_window_pattern = {pattern} and query_pre_attn_scalar = {scalar:g}"
        raise UserError(f"{said}: both must be above 0", "give the config.json that was published with these weights")
    default = [bool((layer + 1) % pattern) for layer in range(arch.layers)]
    size = int(number(config, "head_dim", 256))
    return replace(
        arch,
        head_width=size,
        head_norm=True,
        attention_scale=scalar**-0.5,
        norm_place="around",
        norm_shift=1.0,
        embedding_scale=arch.width**0.5,
        activation=activation_name(config, "hidden_activation", "gelu_pytorch_tanh"),
        tied=bool(config.get("tie_word_embeddings", True)),
        rope=read_rope({**far, "max_position_embeddings": longest}, theta=1e6),
        window_rope=read_rope({**near, "max_position_embeddings": longest}, theta=1e4),
        window=int(number(config, "sliding_window", 4096)),
        windowed=windows(config, default),
    )


def _arch(width: int, layers: int, heads: int, groups: int, wide: int, window: int, longest: int) -> Arch:
    return _read({**sized(262144, width, layers, heads, groups, wide, longest), "sliding_window": window})


@dataclass(frozen=True)
class Gemma3Text:
    """Gemma 3: Gemma with normalised heads, norms before and after each half, and two speeds of rotary positions."""

    kind: ClassVar[str] = "decoder"
    language: ClassVar[Language] = language("Gemma3ForCausalLM", _MODULES)
    presets: ClassVar[Mapping[str, Arch]] = {
        "270m": _arch(640, 18, 4, 1, 2048, 512, 32768),
        "1b": _arch(1152, 26, 4, 1, 6912, 512, 32768),
    }

    def read(self, config: Mapping[str, Any]) -> Arch:
        """The shape that a config.json describes."""
        return _read(config)

    def write(self, arch: Arch) -> dict[str, Any]:
        """The config.json of a shape."""
        kinds = ["sliding_attention" if arch.reach(layer) else "full_attention" for layer in range(arch.layers)]
        near = arch.window_rope or arch.rope
        scale = arch.attention_scale or arch.head_size**-0.5
        said = write_llama(arch)
        said["hidden_activation"] = said.pop("hidden_act")
        return said | {
            "query_pre_attn_scalar": round(scale**-2),  # transformers takes whole numbers alone
            "rope_parameters": {"full_attention": write_rope(arch.rope), "sliding_attention": write_rope(near)},
            "sliding_window": arch.window,
            "layer_types": kinds,
            "attention_bias": arch.attention_bias,
            "pad_token_id": arch.pad_id,
        }
