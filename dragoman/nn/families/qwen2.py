"""Qwen2 and Qwen2.5 (Yang et al. 2024): Llama with biases on query, key and value."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from dragoman.nn.arch import Arch, Rope
from dragoman.nn.families._llama import language, read_llama, read_window, sized, write_llama, write_window
from dragoman.nn.family import Language

__all__ = ["Qwen2"]


def _arch(width: int, layers: int, heads: int, groups: int, wide: int, tied: bool) -> Arch:
    vocabulary = 151936 if width < 3584 else 152064
    config = {**sized(vocabulary, width, layers, heads, groups, wide, 32768), "tie_word_embeddings": tied}
    return replace(read_llama(config, "qwen2"), attention_bias=True, rope=Rope(1e6))


@dataclass(frozen=True)
class Qwen2:
    """Qwen2: as Llama, but query, key and value add a bias; dropped, fresh weights would not show it (biases are 0)."""

    kind: ClassVar[str] = "decoder"
    language: ClassVar[Language] = language("Qwen2ForCausalLM")
    presets: ClassVar[Mapping[str, Arch]] = {
        "0.5b": _arch(896, 24, 14, 2, 4864, tied=True),
        "1.5b": _arch(1536, 28, 12, 2, 8960, tied=True),
        "7b": _arch(3584, 28, 28, 4, 18944, tied=False),
    }

    def read(self, config: Mapping[str, Any]) -> Arch:
        """The shape that a config.json describes; layers from max_window_layers on have the window, if any has."""
        arch = replace(read_llama(config, "qwen2"), attention_bias=True, output_bias=False)
        return read_window(config, arch)

    def write(self, arch: Arch) -> dict[str, Any]:
        """The config.json of a shape."""
        return write_llama(arch) | write_window(arch)
