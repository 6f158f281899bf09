"""Gemma (Mesnard et al. 2024): Llama with GEGLU, wide heads, scaled words and gains saved as distances from 1."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from dragoman.nn.arch import Arch
from dragoman.nn.families._llama import language, read_llama, sized, write_llama
from dragoman.nn.family import Language, activation_name, number

__all__ = ["Gemma"]


def _read(config: Mapping[str, Any]) -> Arch:
    arch = read_llama(config, "gemma")
    # The first files say "gelu" and mean its tanh approximation; all of Gemma was trained with that.
    name = activation_name({"hidden_act": config.get("hidden_activation") or config.get("hidden_act")}, "hidden_act")
    return replace(
        arch,
        head_width=int(number(config, "head_dim", 256)),
        norm_shift=1.0,
        embedding_scale=arch.width**0.5,
        activation="gelu_tanh" if name == "gelu" else name,
        tied=bool(config.get("tie_word_embeddings", True)),
    )


def _arch(width: int, layers: int, heads: int, groups: int, wide: int) -> Arch:
    config = {**sized(256000, width, layers, heads, groups, wide, 8192), "head_dim": 256}
    return _read({**config, "hidden_act": "gelu_pytorch_tanh"})


@dataclass(frozen=True)
class Gemma:
    """Gemma: the words' vectors times sqrt(width), RMSNorm with gains 1 + w, tanh GEGLU, tied."""

    kind: ClassVar[str] = "decoder"
    language: ClassVar[Language] = language("GemmaForCausalLM")
    presets: ClassVar[Mapping[str, Arch]] = {
        "2b": _arch(2048, 18, 8, 1, 16384),
        "7b": _arch(3072, 28, 16, 16, 24576),
    }

    def read(self, config: Mapping[str, Any]) -> Arch:
        """The shape that a config.json describes."""
        return _read(config)

    def write(self, arch: Arch) -> dict[str, Any]:
        """The config.json of a shape."""
        return write_llama(arch) | {"attention_bias": arch.attention_bias, "pad_token_id": arch.pad_id}
