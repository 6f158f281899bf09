"""What a shape holds before it is built: its numbers part by part, and the bytes of learning, measuring and answering.

Everything is arithmetic on `Arch`: no weight is drawn, so a model of any size is answered for at once.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from dragoman.core.errors import UserError
from dragoman.core.formats import bytes_of
from dragoman.nn.activations import Pass, step_activations
from dragoman.nn.arch import Arch

__all__ = [
    "MATRICES",
    "PARTS",
    "Counts",
    "Learning",
    "Memory",
    "Piece",
    "answering_memory",
    "cache_bytes",
    "count",
    "evaluation_memory",
    "lora_parameters",
    "pieces",
    "training_memory",
]

PARTS = ("words", "places", "attention", "feed_forward", "vectors", "head")
MATRICES = ("query", "key", "value", "output", "gate", "up", "down")
# Share of the activations. Measured on Linux, glibc: peaks of six models of 5 to 40 million parameters, fp32 and bf16,
# were 0.79 to 1.03 times the rest of the plan, and 0.93 to 1.07 times it where every tensor was given back at once.
HOLES = 0.3


@dataclass(frozen=True, slots=True)
class Piece:
    """Tensors of one shape: `times` of them, `rows` x `columns` numbers each; a vector has one column."""

    name: str
    part: str
    "one of PARTS"
    rows: int
    columns: int
    times: int
    hidden: bool = False
    "whether it is a matrix between states, which Muon moves; tables of words and the prediction are not"

    @property
    def numbers(self) -> int:
        """Numbers in all of them."""
        return self.rows * self.columns * self.times


@dataclass(frozen=True, slots=True)
class Counts:
    """How many numbers a language model learns, part by part; a table that is shared counts once."""

    words: int
    "the table of words"
    places: int
    "tables of positions, of sentences and of distances"
    attention: int
    "matrices of attention, those that read another text included"
    feed_forward: int
    "matrices of the feed-forward parts"
    vectors: int
    "biases and gains"
    head: int
    "what predicts words and is not the table itself: an untied matrix, the layer in front of masked words"
    tensors: int
    "how many tensors hold them"

    @property
    def total(self) -> int:
        """All numbers: what `sum(weight.numel() for weight in net.parameters())` gives."""
        return self.words + self.places + self.blocks + self.head

    @property
    def blocks(self) -> int:
        """What is neither a table nor the prediction: the N of scaling laws that leave the embeddings out."""
        return self.attention + self.feed_forward + self.vectors


def pieces(arch: Arch) -> list[Piece]:
    """Every tensor of the language model of a shape (`nn.store.build_lm`), equal ones together."""
    crossed = arch.kind == "encoder-decoder"
    stacks = [(arch.layers, False, arch.feed_forward)]
    if crossed:
        stacks.append((arch.decoder_layers, True, arch.decoder_feed_forward or arch.feed_forward))
    found = [Piece("words", "words", arch.vocabulary, arch.width, 1)]
    for layers, crosses, wide in stacks:
        found += _edges(arch)
        found += _attention(arch, layers * (2 if crosses else 1))
        found += _feed_forward(arch, layers, wide)
        norms = (4 if arch.norm_place == "around" else 2) + crosses
        found += _norm(arch, arch.width, layers * norms)
    return [piece for piece in [*found, *_head(arch)] if piece.numbers]


def _norm(arch: Arch, width: int, times: int) -> list[Piece]:
    return [Piece("norm", "vectors", width, 1, times * (1 if arch.norm == "rms" else 2))]


def _edges(arch: Arch) -> list[Piece]:
    """What stands before and behind the blocks of one stack, the words and the prediction left out."""
    found = [Piece("types", "places", arch.token_types, arch.width, 1)]
    if arch.position == "learned":
        found.append(Piece("positions", "places", arch.positions, arch.width, 1))
    if arch.position == "relative":
        found.append(Piece("distances", "places", arch.buckets, arch.heads, 1))
    return found + _norm(arch, arch.width, int(arch.embedding_norm) + int(arch.final_norm))


def _attention(arch: Arch, times: int) -> list[Piece]:
    asking, answering = arch.heads * arch.head_size, arch.groups * arch.head_size
    found = []
    for name, out in (("query", asking), ("key", answering), ("value", answering)):
        found.append(Piece(name, "attention", out, arch.width, times, hidden=True))
        found.append(Piece(name, "vectors", out, 1, times * arch.attention_bias))
    found.append(Piece("output", "attention", arch.width, asking, times, hidden=True))
    found.append(Piece("output", "vectors", arch.width, 1, times * arch.output_bias))
    return found + (_norm(arch, arch.head_size, 2 * times) if arch.head_norm else [])


def _feed_forward(arch: Arch, times: int, wide: int) -> list[Piece]:
    found = []
    for name in ("gate", "up") if arch.gated else ("up",):
        found.append(Piece(name, "feed_forward", wide, arch.width, times, hidden=True))
        found.append(Piece(name, "vectors", wide, 1, times * arch.feed_forward_bias))
    found.append(Piece("down", "feed_forward", arch.width, wide, times, hidden=True))
    return [*found, Piece("down", "vectors", arch.width, 1, times * arch.feed_forward_bias)]


def _head(arch: Arch) -> list[Piece]:
    masked = arch.kind == "encoder"
    found = [Piece("head", "head", arch.vocabulary, arch.width, 0 if arch.tied else 1)]
    found.append(Piece("head", "head", arch.vocabulary, 1, int(masked or arch.head_bias)))
    if masked:
        found.append(Piece("dense", "head", arch.width, arch.width, 1, hidden=True))
        found.append(Piece("dense", "head", arch.width, 1, 1))
        found += [replace(piece, part="head") for piece in _norm(arch, arch.width, 1)]
    return found


def count(arch: Arch) -> Counts:
    """The numbers of a shape by part, exact for every family and kind."""
    found = pieces(arch)
    sums = {part: sum(piece.numbers for piece in found if piece.part == part) for part in PARTS}
    return Counts(**sums, tensors=sum(piece.times for piece in found))


def lora_parameters(arch: Arch, rank: int, where: Iterable[str] = MATRICES) -> int:
    """Numbers that LoRA adds (Hu et al. 2021): rank x (in + out) for each matrix named in `where`.

    Raises UserError where a name matches none.
    """
    return sum(piece.numbers for piece in _thin(arch, rank, where))


def _thin(arch: Arch, rank: int, where: Iterable[str]) -> list[Piece]:
    """The two thin matrices beside each one that is named."""
    matrices = [piece for piece in pieces(arch) if piece.hidden and piece.name in MATRICES]
    known, found = {piece.name for piece in matrices}, []
    for name in where:
        if name not in known:
            raise UserError(
                f"lora finds no matrix named '{name}' in this model", f"name one or more: {', '.join(sorted(known))}"
            )
        for one in (piece for piece in matrices if piece.name == name):
            found.append(Piece(name, one.part, rank, one.columns, one.times, hidden=True))
            found.append(Piece(name, one.part, one.rows, rank, one.times, hidden=True))
    return found


@dataclass(frozen=True, slots=True)
class Learning:
    """What of a model learns and what moves it."""

    optimizer: Literal["adamw", "muon"] = "adamw"
    "adamw keeps two float32 numbers a weight; muon one for each matrix between states, and AdamW has the rest"
    tuning: Literal["full", "lora", "qlora"] = "full"
    "full moves all weights, lora thin matrices beside them, qlora the same beside weights of four bits"
    rank: int = 8
    "the inner width of the thin matrices"
    where: tuple[str, ...] = ("query", "key", "value", "output", "up", "down")
    "which matrices get them"
    chunk: int = 0
    "for how many tokens the logits stand at once; 0 is for all of them"


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that are held at once at the peak, part by part."""

    weights: int = 0
    copy: int = 0
    "the weights once more in the numbers that are multiplied"
    gradients: int = 0
    optimizer: int = 0
    activations: int = 0
    logits: int = 0
    cache: int = 0
    "keys and values of what was read"
    holes: int = 0
    "what the C library's allocator keeps between tensors that come and go; a CPU's alone"

    @property
    def total(self) -> int:
        """All parts together."""
        return sum(self.parts.values())

    @property
    def parts(self) -> Mapping[str, int]:
        """Each part by its name."""
        return {name: getattr(self, name) for name in self.__slots__}


def training_memory(arch: Arch, step: Pass, learning: Learning | None = None) -> Memory:
    """What one step of training holds at its peak, which is where the way back begins.

    Weights are float32 and learn in float32; in bf16 a copy computes, whose gradients (2 bytes) stand beside the
    float32 ones while they are handed over. A frozen base in four bits has neither copy nor gradient.
    """
    learning = learning or Learning()
    whole = count(arch)
    learnt = pieces(arch) if learning.tuning == "full" else _thin(arch, learning.rank, learning.where)
    moved = sum(piece.numbers for piece in learnt)
    half = step.precision != "fp32"
    base = whole.total if learning.tuning != "full" else 0
    if learning.tuning == "qlora":
        # One matrix at a time is made whole again to be multiplied.
        widest = max(piece.rows * piece.columns for piece in pieces(arch) if piece.hidden)
        weights, copies = 4 * moved + _stored(whole, "nf4"), moved + widest
    else:
        weights, copies = 4 * (moved + base), moved + base
    activations = step_activations(arch, _with_tuning(step, learning))
    return Memory(
        weights=weights,
        copy=2 * copies if half else 0,
        gradients=moved * (6 if half else 4),
        optimizer=sum(_moments(piece, learning.optimizer) for piece in learnt),
        activations=activations,
        logits=_logits(arch, _with_tuning(step, learning), learning.chunk),
        holes=int(HOLES * activations) if step.device == "cpu" else 0,
    )


def _with_tuning(step: Pass, learning: Learning) -> Pass:
    if learning.tuning == "full":
        return step
    return replace(step, thin=learning.rank, where=tuple(learning.where))


def _moments(piece: Piece, optimizer: str) -> int:
    """Bytes of the optimizer's state: AdamW counts the steps of each tensor in a float32 of its own."""
    if optimizer == "muon" and piece.hidden:
        return 4 * piece.numbers
    return 8 * piece.numbers + 4 * piece.times


def _logits(arch: Arch, step: Pass, chunk: int) -> int:
    """The logits as they are multiplied, in float32, and their gradient; taken by chunks, those of one chunk.

    Chunks take the gradients of states and of the words' matrix before the way back begins, and scale them on it: these
    stand twice. A CPU has only the multiplied logits of a chunk, whose gradient takes their place a few rows at a time.
    """
    tokens = math.ceil(step.batch * step.length * step.predicted)
    half = step.size < 4
    if not chunk:
        return tokens * arch.vocabulary * (10 if half else 8)
    taken = tokens * arch.width * step.size
    if not step.thin:
        taken += arch.vocabulary * arch.width * (10 if half else 8)
    return min(chunk, tokens) * arch.vocabulary * (step.size if step.device == "cpu" else 8) + taken


def _stored(counts: Counts, form: str) -> int:
    """Bytes of the weights in a format; below 16 bits the matrices alone are rounded, the rest stays in bf16."""
    size = bytes_of(form)
    if size >= 2:
        return int(counts.total * size)
    matrices = counts.attention + counts.feed_forward
    return int(matrices * size + (counts.total - matrices) * 2)


def cache_bytes(arch: Arch, rows: int, length: int, size: float = 2, source: int = 0) -> int:
    """Bytes of keys and values: 2 x layers x kv_heads x head_width x tokens x rows x bytes of a number (`nn.cache`)."""
    layers = arch.decoder_layers or arch.layers
    return int(2 * layers * arch.groups * arch.head_size * (length + source) * rows * size)


def answering_memory(arch: Arch, rows: int, length: int, form: str = "bf16", source: int = 0) -> Memory:
    """What a model holds that writes: its weights in `form`, the cache in bf16 or wider, the last token's logits."""
    size = max(bytes_of(form), 2)
    kept = 0 if arch.kind == "encoder" else cache_bytes(arch, rows, length, size, source)
    return Memory(weights=_stored(count(arch), form), cache=kept, logits=int(rows * arch.vocabulary * (size + 4)))


def evaluation_memory(arch: Arch, step: Pass, learning: Learning | None = None) -> Memory:
    """What a training holds while it measures a held-out text: all that stays between steps, and one block at work.

    Nothing is kept for a way back; of the logits, those of a chunk.
    """
    learning = learning or Learning()
    training = training_memory(arch, step, learning)
    tokens = math.ceil(step.batch * step.length * step.predicted)
    logits = min(learning.chunk or tokens, tokens) * arch.vocabulary * (4 + step.size)
    kept = training.gradients * 4 // 6 if step.size < 4 else training.gradients  # those of the copy are gone by then
    return replace(training, gradients=kept, activations=_live(arch, step), logits=logits, holes=0)


def _live(arch: Arch, step: Pass) -> int:
    """Bytes at work in one block with nothing kept: the stream of states, and the widest moment of either half."""
    wide = max(arch.feed_forward, arch.decoder_feed_forward) * (3 if arch.gated else 2)
    mixing = arch.head_size * (2 * arch.heads + 2 * arch.groups) + arch.width
    longest = max(step.length, step.read if arch.kind == "encoder-decoder" else 0)
    return step.batch * longest * step.size * (2 * arch.width + max(wide, mixing))
