"""Where a token stands: attention alone sees a bag of words, so each position says itself, in one of five ways.

learned, sinusoidal   a vector of the position is added to the word's
rotary                query and key are turned by an angle that grows with the position
relative, alibi       a number that depends on the distance is added to the attention scores
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dragoman.nn.arch import Arch, Rope

__all__ = [
    "LearnedPositions",
    "RelativeBias",
    "Rotary",
    "alibi_slopes",
    "bucket_of",
    "frequencies",
    "sinusoids",
    "turn",
]


class LearnedPositions(nn.Module):
    """A learned table with one row a position (BERT, Devlin et al. 2018; GPT-2, Radford et al. 2019).

    RoBERTa starts counting at row pad_id + 1 and BART at 2 (habits of fairseq): read from row 0, the logits are another
    model's.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.offset = arch.position_offset
        self.table = nn.Embedding(arch.positions, arch.width)

    def forward(self, places: Int[Tensor, "b s"]) -> Float[Tensor, "b s w"]:
        """The rows of the given positions, counted from 0."""
        rows: Tensor = self.table(places + self.offset)  # [b, s, w]
        return rows


def sinusoids(places: Int[Tensor, "b s"], width: int) -> Float[Tensor, "b s w"]:
    """Sines and cosines of ever slower waves (Vaswani et al. 2017): sin at even numbers, cos at odd ones.

    A step of k tokens turns each pair by the same angle wherever it starts: PE(p + k) = R_k PE(p).
    """
    even = torch.arange(0, width, 2, device=places.device, dtype=torch.float64)  # [w / 2]
    angles = places[:, :, None].double() / 10_000.0 ** (even / width)  # [b, s, w / 2]
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(2)[..., :width].float()  # [b, s, w]


def frequencies(rope: Rope, size: int) -> tuple[Float[Tensor, "half"], float]:
    """How far each pair of a head turns at one token, in radians, and what both rotated sides are multiplied by."""
    pairs = torch.arange(0, size, 2, device="cpu", dtype=torch.int64).float() / size  # [d / 2]
    plain = 1.0 / rope.theta**pairs  # [d / 2]
    if rope.scaling == "linear":
        return plain / rope.factor, 1.0
    if rope.scaling == "llama3":
        return _llama3(rope, plain), 1.0
    if rope.scaling == "yarn":
        return _yarn(rope, plain, size), rope.attention or _yarn_attention(rope.factor)
    return plain, 1.0


def _llama3(rope: Rope, plain: Tensor) -> Tensor:
    """Fast pairs as they are, slow ones slowed by the factor, those between blended (Dubey et al. 2024)."""
    turns = rope.original * plain / (2 * math.pi)  # how often each pair turned in a text of the first training
    blend = ((turns - rope.low) / (rope.high - rope.low)).clamp(0, 1)  # [d / 2]: 0 is slowed, 1 is left alone
    return (1 - blend) * plain / rope.factor + blend * plain


def _yarn(rope: Rope, plain: Tensor, size: int) -> Tensor:
    """The same idea with the ramp over the number of the pair instead of its turns (Peng et al. 2023, section 3.2)."""

    def pair_that_turns(times: float) -> float:
        return size * math.log(rope.original / (times * 2 * math.pi)) / (2 * math.log(rope.theta))

    first, last = pair_that_turns(rope.beta_fast), pair_that_turns(rope.beta_slow)
    if rope.truncate:
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, size - 1)
    wide = last - first or 0.001  # a ramp of no width would divide by zero
    ramp = ((torch.arange(size // 2, device="cpu").float() - first) / wide).clamp(0, 1)  # [d / 2]
    return plain / rope.factor * ramp + plain * (1 - ramp)


def _yarn_attention(factor: float) -> float:
    return 0.1 * math.log(factor) + 1.0 if factor > 1 else 1.0


class Rotary:
    """Rotary positions (RoFormer, Su et al. 2021): the product of a turned query and key knows their distance alone.

    The two halves of a head are the pairs (i, i + d / 2), as in published weights; Meta's own files interleave them.
    Angles are float32 whatever the model computes in: in bf16, position 257 and 258 are the same.
    """

    def __init__(self, rope: Rope, size: int) -> None:
        self.steps, self.gain = frequencies(rope, size)  # [d / 2]

    def __call__(
        self, places: Int[Tensor, "b s"], dtype: torch.dtype
    ) -> tuple[Float[Tensor, "b s 1 d"], Float[Tensor, "b s 1 d"]]:
        """Cosine and signed sine of the angles at the given positions, as `turn` takes them."""
        if self.steps.device != places.device:  # once: a CUDA graph may not wait for the CPU at every step
            self.steps = self.steps.to(places.device)  # [d / 2]
        angles = places[:, :, None, None].float() * self.steps  # [b, s, 1, d / 2]
        cos, sin = angles.cos() * self.gain, angles.sin() * self.gain  # [b, s, 1, d / 2]
        return torch.cat((cos, cos), -1).to(dtype), torch.cat((-sin, sin), -1).to(dtype)  # [b, s, 1, d] twice


def turn(
    states: Float[Tensor, "b s h d"], angles: tuple[Float[Tensor, "_ s 1 d"], Float[Tensor, "_ s 1 d"]]
) -> Float[Tensor, "b s h d"]:
    """Every pair (i, i + d / 2) of every head, turned by its angle; one row of angles serves all texts."""
    cos, sin = angles
    swapped = states.roll(states.shape[-1] // 2, -1)  # [b, s, h, d]: the other half of each pair; its sign is in sin
    return states * cos + swapped * sin  # [b, s, h, d]


def bucket_of(distance: Int[Tensor, "q k"], both_ways: bool, buckets: int, reach: int) -> Int[Tensor, "q k"]:
    """The row of T5's table for key position minus query position (Raffel et al. 2020, section 2.1).

    Near distances have a row each, far ones share rows that grow logarithmically up to `reach`. An encoder keeps half
    of the rows for each direction; a decoder sees only what is before.
    """
    side = torch.zeros_like(distance)  # [q, k]
    if both_ways:
        buckets //= 2
        side = (distance > 0).long() * buckets  # [q, k]
        back = distance.abs()  # [q, k]
    else:
        back = (-distance).clamp(min=0)  # [q, k]
    exact = buckets // 2
    spread = torch.log(back.float().clamp(min=1) / exact) / math.log(reach / exact) * (buckets - exact)  # [q, k]
    far = (exact + spread.long()).clamp(max=buckets - 1)  # [q, k]
    return side + torch.where(back < exact, back, far)  # [q, k]


class RelativeBias(nn.Module):
    """T5's table of one number a head for each bucket of distances, added to the scores of every block of a stack."""

    def __init__(self, arch: Arch, both_ways: bool) -> None:
        super().__init__()
        self.both_ways = both_ways
        self.buckets = arch.buckets
        self.reach = arch.bucket_reach
        self.table = nn.Embedding(arch.buckets, arch.heads)

    def forward(self, asking: Int[Tensor, "q"], seen: Int[Tensor, "k"]) -> Float[Tensor, "1 h q k"]:
        """What is added to the score of each query position for each key position."""
        rows = bucket_of(seen[None, :] - asking[:, None], self.both_ways, self.buckets, self.reach)  # [q, k]
        bias: Tensor = self.table(rows)  # [q, k, h]
        return bias.permute(2, 0, 1)[None]  # [1, h, q, k]


def alibi_slopes(heads: int) -> Float[Tensor, "h"]:
    """How steeply each head forgets (ALiBi, Press et al. 2021): 2^(-8 h / n); other counts take every second of 2n."""
    whole = 2 ** math.floor(math.log2(heads))
    slopes = [2.0 ** (-8 * (head + 1) / whole) for head in range(whole)]
    between = [2.0 ** (-8 * (head + 1) / (2 * whole)) for head in range(0, 2 * (heads - whole), 2)]
    return torch.tensor(slopes + between, device="cpu")  # [h]
