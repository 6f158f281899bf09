"""Shapes to train from nothing: a family's habits at any size, from a number of parameters or from plain numbers."""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from dragoman.core.config import nearest
from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.footprint import count
from dragoman.nn.store import family_of

__all__ = ["FRESH", "fresh_arch"]

HEAD, WIDE = 64, 384
"numbers a head sees where the model is at least so wide, and twice what it sees in a narrower one"
NEIGHBOURS = 6
"how many widths on either side of the usual one are tried"
WIDEST, DEEPEST = 16_384, 160
NEAR = 12
"shapes that are counted exactly: those nearest by the rule of thumb"
HINT = "give another size: dragoman pretrain SOURCE size=15M"

Config = Callable[[int, int, int, int, int, int, int], dict[str, Any]]


def _llama(words: int, length: int, width: int, layers: int, heads: int, groups: int, wide: int) -> dict[str, Any]:
    return {
        "vocab_size": words,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": groups,
        "head_dim": width // heads,
        "intermediate_size": wide,
        "max_position_embeddings": length,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True,
    }


def _gpt2(words: int, length: int, width: int, layers: int, heads: int, groups: int, wide: int) -> dict[str, Any]:
    return {
        "vocab_size": words,
        "n_embd": width,
        "n_layer": layers,
        "n_head": heads,
        "n_inner": wide,
        "n_positions": length,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
    }


def _bert(words: int, length: int, width: int, layers: int, heads: int, groups: int, wide: int) -> dict[str, Any]:
    return {
        "vocab_size": words,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": wide,
        "max_position_embeddings": length,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }


def _t5(words: int, length: int, width: int, layers: int, heads: int, groups: int, wide: int) -> dict[str, Any]:
    return {
        "vocab_size": words,
        "d_model": width,
        "d_kv": width // heads,
        "d_ff": wide,
        "num_layers": layers,
        "num_decoder_layers": layers,
        "num_heads": heads,
        "dropout_rate": 0.0,
        "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": True,
    }


FRESH: Mapping[str, tuple[Config, float]] = {
    "qwen3": (_llama, 8 / 3),
    "llama": (_llama, 8 / 3),
    "qwen2": (_llama, 8 / 3),
    "mistral": (_llama, 8 / 3),
    "gpt2": (_gpt2, 4.0),
    "bert": (_bert, 4.0),
    "t5": (_t5, 2.5),
}
"how a family writes its config.json, and how much wider than the states its feed-forward part is"


def fresh_arch(
    family: str,
    vocabulary: int,
    length: int,
    parameters: int = 0,
    width: int = 0,
    layers: int = 0,
    heads: int = 0,
    kv_heads: int = 0,
    feed_forward: int = 0,
    dropout: float = 0.0,
    tied: bool | None = None,
) -> Arch:
    """A shape of a family for texts of `length` tokens: as large as `parameters`, or as the numbers say.

    Of a size alone, the depth grows with the width (about one layer for each 64 numbers of width, as published models
    have it) and the result is the nearest there is, the table of words counted. Raises UserError where the family
    cannot be trained from nothing here, or the table of words alone is larger.
    """
    if family not in FRESH:
        raise UserError(
            f"no fresh model of the family '{family}' can be made", f"{nearest(family, FRESH)}; family=qwen3"
        )
    habits = _Habits(family, vocabulary, length, heads, kv_heads, feed_forward, dropout, tied)
    if heads and width % heads:
        raise UserError(f"{heads} attention heads cannot share a width of {width}", HINT)
    if width:
        return _shape(habits, width, layers or _usual_depth(width))
    if parameters < 1:
        raise UserError("neither a size nor a width is given", HINT)
    found, counted = _nearest(habits, parameters, layers)
    if counted > 1.5 * parameters:
        raise UserError(
            f"a {family} of {vocabulary:,} words has {counted:,} parameters at the least, not {parameters:,}",
            "give a larger size, or fewer words: vocabulary=1024",
        )
    return found


@dataclass(frozen=True)
class _Habits:
    """All of a wish but its width and depth; 0 and None leave a choice to the family."""

    family: str
    vocabulary: int
    length: int
    heads: int
    kv_heads: int
    feed_forward: int
    dropout: float
    tied: bool | None


@lru_cache(maxsize=256)
def _nearest(habits: _Habits, parameters: int, layers: int) -> tuple[Arch, int]:
    """The shape whose parameters come nearest, and their number: of widths around the usual one, some depths each.

    Nearest of a list that does not depend on the size asked for, so a larger size never gives a smaller model.
    """
    widths = [width for width in _widths() if _fits(habits, width)]
    if not widths:
        raise UserError(f"no width is shared by {habits.heads} heads of which {habits.kv_heads} answer", HINT)
    middle = bisect_left(widths, parameters, key=lambda width: _count(habits, width, layers or _usual_depth(width)))
    tried = [
        (abs(counted - parameters), depth, width, counted)
        for width in widths[max(0, middle - NEIGHBOURS) : middle + NEIGHBOURS]
        for depth in ((layers,) if layers else _depths(width))
        for counted in (_count(habits, width, depth),)
    ]
    _, depth, width, counted = min(tried)
    return _shape(habits, width, depth), counted


def _count(habits: _Habits, width: int, layers: int) -> int:
    """The parameters of a width and depth: every layer has as many as the others."""
    first, each = _first_and_each(habits, width)
    return first + (layers - 1) * each


@lru_cache(maxsize=4096)
def _first_and_each(habits: _Habits, width: int) -> tuple[int, int]:
    """The parameters of a model of one layer, and of each further one."""
    one, two = (count(_shape(habits, width, layers)).total for layers in (1, 2))
    return one, two - one


def _shape(habits: _Habits, width: int, layers: int) -> Arch:
    config, times = FRESH[habits.family]
    heads = habits.heads or _heads(width, habits.kv_heads) or 1
    wide = habits.feed_forward or max(32, round(width * times / 32) * 32)
    table = config(habits.vocabulary, habits.length, width, layers, heads, habits.kv_heads or heads, wide)
    if habits.tied is not None:
        table["tie_word_embeddings"] = habits.tied
    arch = family_of(habits.family).read(table)
    head = habits.dropout if arch.kind == "encoder" else arch.head_dropout
    return replace(arch, dropout=habits.dropout, attention_dropout=habits.dropout, head_dropout=head)


def _fits(habits: _Habits, width: int) -> bool:
    if habits.heads:
        return width % habits.heads == 0 and (width // habits.heads) % 2 == 0
    return _heads(width, habits.kv_heads) > 0


def _heads(width: int, shared: int) -> int:
    """Heads of 64, or of 32 in a narrow model, and a multiple of `shared` of them; 0 where there are none.

    Where the width does not allow it, their size is an even number near that, and rather a multiple of 8.
    """
    aim = HEAD if width >= WIDE else HEAD // 2
    sizes = [size for size in range(2, HEAD + 1, 2) if width % size == 0 and width // size % (shared or 1) == 0]
    size = min(sizes, key=lambda size: abs(math.log(size / aim)) + (size % 8 > 0) / 2, default=0)
    return width // size if size else 0


def _usual_depth(width: int) -> int:
    return max(2, round(width / 64 if width >= WIDE else 2 + width / 96))


def _depths(width: int) -> range:
    """The depths to choose among: the usual one and a quarter around it."""
    usual = _usual_depth(width)
    return range(max(2, round(usual * 0.8)), min(DEEPEST, round(usual * 1.25)) + 1)


def _widths() -> list[int]:
    """Multiples of 8 in narrow models, of 16 to 256 in ever wider ones: matrices of even sizes are quick."""
    return [
        *range(32, 128, 8),
        *range(128, 256, 16),
        *range(256, 768, 32),
        *range(768, 2048, 64),
        *range(2048, WIDEST + 1, 256),
    ]
