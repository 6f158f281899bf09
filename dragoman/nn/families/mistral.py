"""Mistral (Jiang et al. 2023): Llama with a window on how far back a token may look, in its first versions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from dragoman.nn.arch import Arch, Rope
from dragoman.nn.families._llama import language, read_llama, sized, write_llama
from dragoman.nn.family import Language, number

__all__ = ["Mistral"]

_7B = read_llama({**sized(32768, 4096, 32, 32, 8, 14336, 32768), "rms_norm_eps": 1e-5}, "mistral")


@dataclass(frozen=True)
class Mistral:
    """Mistral: as Llama; sliding_window in its config.json is the window of every layer."""

    kind: ClassVar[str] = "decoder"
    language: ClassVar[Language] = language("MistralForCausalLM")
    presets: ClassVar[Mapping[str, Arch]] = {
        "7b-v0.1": replace(_7B, vocabulary=32000, window=4096),
        "7b-v0.3": replace(_7B, rope=Rope(1e6)),
    }

    def read(self, config: Mapping[str, Any]) -> Arch:
        """The shape that a config.json describes."""
        window = number(config, "sliding_window", 0 if "sliding_window" in config else 4096)  # null switches it off
        return replace(read_llama(config, "mistral"), window=int(window))

    def write(self, arch: Arch) -> dict[str, Any]:
        """The config.json of a shape."""
        return write_llama(arch) | {"sliding_window": arch.window or None}
