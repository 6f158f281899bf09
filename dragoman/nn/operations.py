"""How many floating-point operations a shape takes, forward and back, counted before it is built."""

from collections.abc import Iterator
from dataclasses import dataclass

from dragoman.nn.arch import Arch

__all__ = ["Flops", "flops"]


@dataclass(frozen=True, slots=True)
class Flops:
    """Floating-point operations, a multiplication and an addition counting two; softmax and norms are left out."""

    matrices: float = 0.0
    "of the blocks"
    attention: float = 0.0
    "queries times keys and shares times values, over all pairs: causal ones are not halved"
    head: float = 0.0
    "the prediction of words"

    @property
    def total(self) -> float:
        """All together."""
        return self.matrices + self.attention + self.head

    def times(self, factor: float) -> "Flops":
        """So many times as many."""
        return Flops(self.matrices * factor, self.attention * factor, self.head * factor)

    def plus(self, other: "Flops") -> "Flops":
        """Both together."""
        return Flops(self.matrices + other.matrices, self.attention + other.attention, self.head + other.head)


def flops(
    arch: Arch,
    batch: int,
    length: int,
    source: int = 0,
    training: bool = True,
    recompute: bool = False,
    thin: int = 0,
    predicted: float = 1.0,
) -> Flops:
    """What one pass over `batch` texts of `length` tokens costs, forward and, in `training`, back.

    Back costs twice forward, for the gradient of the states and that of the weights: 6 N D + 12 L d s D in all (Kaplan
    et al. 2020; Chowdhery et al. 2022, appendix B). `recompute` runs the blocks forward once more. With `thin`, the
    numbers of LoRA's matrices, these alone have a gradient of their own. `source` is the length of the text that an
    encoder-decoder reads, 0 is `length`; `predicted` the share of tokens whose word is predicted.
    """
    once = Flops()
    for stack in _stacks(arch, length, source or length):
        once = once.plus(stack)
    tokens = batch * length
    head = 2.0 * arch.width * arch.vocabulary + (2.0 * arch.width**2 if arch.kind == "encoder" else 0.0)
    mixed, seen, front = once.matrices * batch, once.attention * batch, head * tokens * predicted
    if not training:
        return Flops(mixed, seen, front)
    passes = 2 if thin else 3
    if recompute:
        # The answer of a block is not needed again, so the matrix that gives it rests, unless a norm stands behind.
        last = _last_matrices(arch, length, source or length) if arch.norm_place == "before" else 0.0
        mixed += (mixed - last * batch) / passes
    beside = 2.0 * thin * tokens * (4 if recompute else 3)
    return Flops(mixed * passes + beside, seen * (4 if recompute else 3), front * passes)


def _last_matrices(arch: Arch, length: int, source: int) -> float:
    """The way down of every feed-forward part, one text forward."""
    if arch.kind != "encoder-decoder":
        return 2.0 * arch.layers * length * arch.width * arch.feed_forward
    wide = arch.decoder_feed_forward or arch.feed_forward
    return 2.0 * arch.width * (arch.layers * source * arch.feed_forward + arch.decoder_layers * length * wide)


def _stacks(arch: Arch, length: int, source: int) -> Iterator[Flops]:
    """One text through the blocks of each stack, forward."""
    asking, answering = arch.heads * arch.head_size, arch.groups * arch.head_size
    mixing = 2 * asking * arch.width + 2 * answering * arch.width  # query and output, key and value
    thinking = (3 if arch.gated else 2) * arch.width

    def alone(layers: int, tokens: int, wide: int) -> Flops:
        matrices = 2.0 * layers * tokens * (mixing + thinking * wide)
        return Flops(matrices, 4.0 * layers * asking * tokens * tokens)

    if arch.kind != "encoder-decoder":
        yield alone(arch.layers, length, arch.feed_forward)
        return
    yield alone(arch.layers, source, arch.feed_forward)
    yield alone(arch.decoder_layers, length, arch.decoder_feed_forward or arch.feed_forward)
    crossing = 2 * asking * arch.width * length + 2 * answering * arch.width * source
    yield Flops(2.0 * arch.decoder_layers * crossing, 4.0 * arch.decoder_layers * asking * length * source)
