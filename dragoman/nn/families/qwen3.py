"""Qwen3 (Yang et al. 2025): Qwen2 without biases, each head's query and key normalised before they turn."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from dragoman.nn.arch import Arch, Rope
from dragoman.nn.families._llama import language, read_llama, read_window, sized, write_llama, write_window
from dragoman.nn.family import Language, number

__all__ = ["Qwen3"]


def _arch(width: int, layers: int, heads: int, wide: int, tied: bool) -> Arch:
    size = sized(151936, width, layers, heads, 8, wide, 40960)
    config = {**size, "head_dim": 128, "tie_word_embeddings": tied}
    return replace(read_llama(config, "qwen3"), head_norm=True, rope=Rope(1e6))


@dataclass(frozen=True)
class Qwen3:
    """Qwen3: as Llama with per-head RMSNorm on query and key, and heads whose width is a number of its own."""

    kind: ClassVar[str] = "decoder"
    language: ClassVar[Language] = language("Qwen3ForCausalLM")
    presets: ClassVar[Mapping[str, Arch]] = {
        "0.6b": _arch(1024, 28, 16, 3072, tied=True),
        "1.7b": _arch(2048, 28, 16, 6144, tied=True),
        "4b": _arch(2560, 36, 32, 9728, tied=True),
        "8b": _arch(4096, 36, 32, 12288, tied=False),
    }

    def read(self, config: Mapping[str, Any]) -> Arch:
        """The shape that a config.json describes."""
        arch = read_llama(config, "qwen3")
        return read_window(config, replace(arch, head_norm=True, head_width=int(number(config, "head_dim", 128))))

    def write(self, arch: Arch) -> dict[str, Any]:
        """The config.json of a shape."""
        return write_llama(arch) | {"attention_bias": arch.attention_bias} | write_window(arch)
