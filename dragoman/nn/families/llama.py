"""Llama (Touvron et al. 2023, Dubey et al. 2024) and all that is published in its clothes, SmolLM among them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from dragoman.nn.arch import Arch, Rope
from dragoman.nn.families._llama import language, read_llama, sized, write_llama
from dragoman.nn.family import Language

__all__ = ["Llama"]


def _arch(
    vocabulary: int,
    width: int,
    layers: int,
    heads: int,
    groups: int,
    wide: int,
    longest: int,
    theta: float,
    tied: bool = False,
    factor: float = 0.0,
) -> Arch:
    """A published size; `factor` stretches it over longer texts as Llama 3.1 does."""
    size = sized(vocabulary, width, layers, heads, groups, wide, longest)
    config = {**size, "rms_norm_eps": 1e-5, "tie_word_embeddings": tied}
    rope = Rope(theta, "llama3", factor, original=8192) if factor else Rope(theta)
    return replace(read_llama(config, "llama"), rope=rope)


@dataclass(frozen=True)
class Llama:
    """Llama: rotary positions, RMSNorm before each half, SwiGLU, grouped queries, no biases."""

    kind: ClassVar[str] = "decoder"
    language: ClassVar[Language] = language("LlamaForCausalLM")
    presets: ClassVar[Mapping[str, Arch]] = {
        "smollm2-135m": _arch(49152, 576, 30, 9, 3, 1536, 8192, 1e5, tied=True),
        "smollm2-360m": _arch(49152, 960, 32, 15, 5, 2560, 8192, 1e5, tied=True),
        "tinyllama-1.1b": _arch(32000, 2048, 22, 32, 4, 5632, 2048, 1e4),
        "3.2-1b": _arch(128256, 2048, 16, 32, 8, 8192, 131072, 5e5, tied=True, factor=32.0),
        "3.1-8b": _arch(128256, 4096, 32, 32, 8, 14336, 131072, 5e5, factor=8.0),
        "2-7b": _arch(32000, 4096, 32, 32, 32, 11008, 4096, 1e4),
    }

    def read(self, config: Mapping[str, Any]) -> Arch:
        """The shape that a config.json describes."""
        return read_llama(config, "llama")

    def write(self, arch: Arch) -> dict[str, Any]:
        """The config.json of a shape."""
        return write_llama(arch) | {"attention_bias": arch.attention_bias, "mlp_bias": arch.feed_forward_bias}
