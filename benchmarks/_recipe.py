"""Dragoman's turns in benchmarks/pretraining.py: nanoGPT's settings in our loop, and the recipe that learns fastest."""

from dataclasses import dataclass
from typing import Any

from benchmarks._race import LENGTH, Clock, parts, whole_loss

__all__ = ["Letters", "recipe", "same_settings"]


@dataclass(frozen=True)
class Letters:
    """What training asks of a tokenizer, where every character is a token and none is special."""

    pad_id: int = 0
    bos_id: int | None = None
    eos_ids: frozenset[int] = frozenset()


def same_settings(vocabulary: int) -> tuple[Any, Any]:
    """nanoGPT's model and settings, as ours say them."""
    from dragoman.nn.arch import Arch
    from dragoman.train.doors import How

    arch = Arch(
        family="gpt2", kind="decoder", vocabulary=vocabulary, width=128, layers=4, heads=4, feed_forward=512,
        positions=LENGTH, attention_bias=False, output_bias=False, feed_forward_bias=False, norm_place="before",
        norm_eps=1e-5, final_norm=True, token_types=0, embedding_norm=False, activation="gelu", tied=True,
        dropout=0.0, attention_dropout=0.0,
    )  # fmt: skip
    how = How(
        steps=2000, rate=1e-3, batch=12, max_length=LENGTH, warmup=0.05, schedule="cosine", floor=0.1, decay=0.1,
        average=0.0, clip=1.0, beta1=0.9, beta2=0.99, precision="fp32", device="cpu",
    )  # fmt: skip
    return arch, how


def recipe(vocabulary: int) -> tuple[Any, Any]:
    """Our recipe."""
    from dragoman.nn.arch import Arch, Rope
    from dragoman.train.doors import How

    arch = Arch(
        family="qwen3", kind="decoder", vocabulary=vocabulary, width=128, layers=4, heads=4, feed_forward=344,
        positions=LENGTH, attention_bias=False, output_bias=False, feed_forward_bias=False, norm="rms",
        norm_place="before", norm_eps=1e-6, final_norm=True, position="rotary", rope=Rope(10_000.0), head_norm=True,
        token_types=0, embedding_norm=False, activation="silu", gated=True, tied=False, dropout=0.0,
        attention_dropout=0.0,
    )  # fmt: skip
    how = How(
        steps=230, rate=2e-2, batch=16, max_length=LENGTH, optimizer="muon", warmup=0.05, schedule="linear",
        decay=0.0, average=0.0, clip=1.0, beta1=0.9, beta2=0.95, precision="bf16", device="cpu",
    )  # fmt: skip
    return arch, how
