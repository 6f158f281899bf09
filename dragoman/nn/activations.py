"""What a step of training keeps for its way back: the bytes of every tensor that autograd saves, told by the shape.

Korthikanti et al. 2022 (2205.05198) give 34 numbers of two bytes a token and width for GPT, 32 without dropout: in
float32 that is the 64.25 bytes measured here. Other shapes keep other tensors, so each is counted where it arises.
"""

from dataclasses import dataclass, replace
from typing import Literal

from dragoman.nn.arch import Arch

__all__ = ["Pass", "block_bytes", "step_activations"]

SHORT = 512  # keys up to which bf16 on the CPU takes the plain path
_FOLLOWING = ("gelu", "gelu_tanh", "silu")  # bends that keep what they were given; relu keeps what it gave


@dataclass(frozen=True, slots=True)
class Pass:
    """The texts of one pass through the net and how it goes through. A step may have several passes, one at a time."""

    batch: int = 1
    length: int = 1024
    "tokens of a text"
    source: int = 0
    "tokens that the encoder of an encoder-decoder reads; 0 is `length`"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    recompute: bool = False
    "whether a block keeps its input alone and runs once more on the way back (Chen et al. 2016)"
    dropout: bool = False
    "whether the shape's dropout is in force"
    masked: bool = False
    "whether each row has a mask of its own: padding, or several documents; rows of 512 tokens or more may keep less"
    predicted: float = 1.0
    "the share of tokens whose word is predicted; about 0.15 for masked words"
    device: Literal["cpu", "cuda"] = "cpu"
    thin: int = 0
    "rank of LoRA's matrices where these alone learn; 0: every weight learns"
    where: tuple[str, ...] = ()
    "which matrices have them"

    @property
    def size(self) -> int:
        """Bytes of a number that is multiplied."""
        return 4 if self.precision == "fp32" else 2

    @property
    def read(self) -> int:
        """Tokens of a source."""
        return self.source or self.length

    def learns(self, *names: str) -> bool:
        """Whether one of these matrices needs its input for a gradient."""
        return not self.thin or any(name in self.where for name in names)

    def thins(self, *names: str) -> int:
        """Bytes a token of what stands between the two thin matrices of each of these."""
        return self.thin * self.size * sum(name in self.where for name in names)


def _norm(arch: Arch, step: Pass, width: int) -> int:
    """Bytes a row of what a norm over `width` numbers keeps, the states it was given included.

    On the CPU RMSNorm is put together from float32 steps and keeps the scaled states too, for the gradient of its
    gains; on GPUs one kernel does it. Layer norm keeps mean and spread in the numbers of the states.
    """
    size = step.size
    if arch.norm == "layer":
        return size * width + 2 * (4 if step.device == "cuda" else size)
    if step.device == "cuda":
        return (4 if arch.norm_shift else size) * width + 4
    return 4 * width * (1 if step.thin else 2) + 4


def _noise(arch: Arch, step: Pass, width: int) -> int:
    """Bytes a token of a dropout over `width` numbers: the CPU keeps a factor for each, a GPU a byte."""
    if not step.dropout or not arch.dropout:
        return 0
    return width * (1 if step.device == "cuda" else step.size)


def _path(arch: Arch, step: Pass, keys: int, crosses: bool) -> str:
    """How shares of attention are computed: fused, plain (two products and a softmax) or exact (the same in float32).

    On the CPU short texts are taken plainly in bf16 (`nn.attention`), and no fused kernel drops shares or learns a
    bias.
    """
    if step.device != "cpu":
        return "fused"
    if step.precision == "bf16" and keys <= SHORT:
        return "plain"
    drops = step.dropout and arch.attention_dropout > 0
    learns = arch.position == "relative" and not crosses and not step.thin
    return "exact" if drops or learns else "fused"


def _attention(arch: Arch, step: Pass, reach: int, crosses: bool) -> int:
    """Bytes of one attention, all texts: from the projections to the input of the output matrix."""
    heads, groups, each = arch.heads, arch.groups, arch.head_size
    asked, seen = step.length, step.read if crosses else step.length
    queries, keys, pairs = step.batch * asked, step.batch * seen, step.batch * asked * seen
    total = queries * step.thins("query", "output") + keys * step.thins("key", "value")
    if arch.head_norm:
        total += _norm(arch, step, each) * (queries * heads + keys * groups)
    path = _path(arch, step, seen, crosses)
    biased = arch.position in ("relative", "alibi") and not crosses
    if path != "fused":
        # All shares stand there, and with dropout their factors and what is left of them.
        drawn = 3 if step.dropout and arch.attention_dropout else 1
        answering = heads if path == "exact" else groups  # the exact path copies an answer for each head that asks
        numbers = each * (heads * queries + 2 * answering * keys) + heads * pairs * drawn
        mixed = queries * each * heads * step.size if step.learns("output") else 0
        return total + numbers * (4 if path == "exact" else step.size) + mixed
    answering = heads if biased else groups
    total += step.size * each * (2 * heads * queries + 2 * answering * keys) + 4 * heads * queries
    if step.masked:
        total += step.size * pairs  # kernels turn a mask into numbers of their own, layer by layer
    elif reach and asked > reach and not crosses and not biased:
        total += step.size * asked**2
    return total


def _feed_forward(arch: Arch, step: Pass, wide: int) -> int:
    """Bytes a token of the feed-forward part, from behind the first matrix to the input of the last."""
    size, inner = step.size, arch.dropout > 0 and step.dropout and arch.family == "t5"
    follows = arch.activation in _FOLLOWING
    last = step.learns("down")
    kept = (3 if follows else 2) if arch.gated else 1  # gate, bent and up; or what the bend keeps
    if inner or arch.gated or follows:
        kept += last  # relu's answer is the input of the last matrix as well
    noise = _noise(arch, step, wide) if inner else 0
    return size * wide * kept + noise + step.thins("gate", "up", "down")


def block_bytes(arch: Arch, step: Pass, layer: int = 1, writes: bool = False) -> int:
    """Bytes that one block keeps, its input included and its output not; `writes` is a block that reads another text.

    Exact for the blocks of `nn.blocks` with the kernels of torch 2.13 on the CPU. Where LoRA alone learns, the first
    block of a stack keeps less than this, because nothing in front of its first thin matrix has a gradient.
    """
    wide = (arch.decoder_feed_forward if writes else 0) or arch.feed_forward
    tokens, width, size = step.batch * step.length, arch.width, step.size
    halves = 3 if writes else 2
    bytes_a_token = halves * (_norm(arch, step, width) + _noise(arch, step, width)) + _feed_forward(arch, step, wide)
    if arch.norm_place == "around":
        bytes_a_token += 2 * _norm(arch, step, width)
    # Each half reads its input: normed before it, or (post-LN) what the norm of the half below gave.
    inputs = step.learns("query", "key", "value") + step.learns("gate", "up")
    inputs += writes and step.learns("query")
    total = tokens * (bytes_a_token + size * width * inputs)
    total += _attention(arch, step, arch.reach(layer) if layer < arch.layers else arch.window, False)
    if writes:
        total += _attention(arch, step, 0, True)
    return int(total) + _gains(arch, step, halves + 2 * (arch.norm_place == "around"))


def _gains(arch: Arch, step: Pass, norms: int) -> int:
    """Bytes of gains that are summed with their shift at each use."""
    heads = 2 * arch.head_size if arch.head_norm else 0
    shifted = arch.norm_shift and step.device == "cpu"
    return 4 * (norms * arch.width + (heads if norms > 1 else 0)) if shifted else 0


def step_activations(arch: Arch, step: Pass) -> int:
    """Bytes that a whole pass keeps at its end, the logits left out: blocks, what is in front of them and behind.

    With recompute: the input of each block, and the one block that is at work on the way back.
    """
    if arch.kind != "encoder-decoder":
        return _stack(arch, step, arch.layers, False) + _prediction(arch, step)
    reading = replace(step, length=step.read, source=0)
    both = _stack(arch, reading, arch.layers, False) + _stack(arch, step, arch.decoder_layers, True)
    return both + _prediction(arch, step)


def _stack(arch: Arch, step: Pass, layers: int, writes: bool) -> int:
    """Bytes of one stack from the ids to the states behind its last block."""
    reaches = [arch.reach(layer) if layer < arch.layers else arch.window for layer in range(layers)]
    blocks = {reach: block_bytes(arch, step, reaches.index(reach), writes) for reach in set(reaches)}  # equal ones once
    tokens = step.batch * step.length
    inside = sum(blocks[reach] for reach in reaches)
    if step.recompute:
        inside = layers * tokens * arch.width * step.size + max(blocks.values())
    last = _gains(arch, step, 1) if arch.final_norm else 0
    return inside + _front(arch, step, layers, writes) + tokens * _behind(arch, step) + last


def _front(arch: Arch, step: Pass, layers: int, writes: bool) -> int:
    """Ids, the norm in front, and what the layers share: angles, distances."""
    tokens, pairs = step.batch * step.length, step.length**2
    rows = step.batch if step.masked else 1  # where each row has places of its own
    total = 0
    if not step.thin:
        total += 8 * tokens + (8 * rows * step.length if arch.position == "learned" else 0)
    if arch.embedding_norm:
        total += tokens * _norm(arch, step, arch.width)
    total += tokens * _noise(arch, step, arch.width)
    kinds = len({arch.reach(layer) for layer in range(min(layers, arch.layers))})
    if arch.position == "rotary":
        total += 2 * rows * step.length * arch.head_size * step.size * kinds
    if arch.position == "alibi" and _path(arch, step, step.length, False) == "fused":
        total += arch.heads * pairs * step.size * kinds
    if arch.position == "relative" and not step.thin:
        total += (8 + writes) * pairs  # the rows of the table, and what is hidden from a writer
    return total


def _behind(arch: Arch, step: Pass) -> int:
    """Bytes a token of the states behind the last block, which the prediction (or the other stack) reads."""
    norm = _norm(arch, step, arch.width) if arch.final_norm else 0
    drops = arch.final_norm and arch.kind != "decoder"  # as in nn.decoder: only one of two stacks drops here
    return norm + (_noise(arch, step, arch.width) if drops else 0) + arch.width * step.size


def _prediction(arch: Arch, step: Pass) -> int:
    """The layer in front of masked words: what it bends, what its norm keeps, what the table reads."""
    if arch.kind != "encoder":
        return 0
    bent = arch.width * step.size * 2 + _norm(arch, step, arch.width)
    return int(step.batch * step.length * step.predicted * bent)
