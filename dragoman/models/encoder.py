"""The Embedder door: texts into unit vectors, batched by token length, in bf16 where that is proven equal."""

import copy
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from dragoman.models.device import Precision, has_bf16
from dragoman.nn.arch import Arch
from dragoman.nn.encoder import Encoder, mean_pool
from dragoman.nn.padding import by_length, pad
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["Graph", "LocalEncoder", "longest_text", "plan"]

EQUAL = 0.999
"cosine to the fp32 vector below which bf16 is not taken for the same model"

# Small batches keep the states in the CPU's cache and leave next to nothing to pad: on one core, with texts of about
# 100 tokens in bf16, 4 and 8 rows were equally fast, 16 lost a tenth, 32 a fifth. A GPU wants all it can get.
CPU_ROWS = 8
GPU_ROWS, GPU_TOKENS = 1024, 32_768

_PROBES = (
    "yes",
    "Where is my parcel?",
    "The quick brown fox jumps over the lazy dog, and 27 other dogs look on in surprise.",
    "def read(path): return open(path, encoding='utf-8').read()  # the whole file, decoded",
    "Ein kurzer Satz auf Deutsch, une phrase en français, y una frase en español. " * 3,
    "Return a new list containing all items from the iterable in ascending order. A custom key function can be "
    "supplied, and the reverse flag can be set to request the result in descending order. " * 2,
)


class Graph(Protocol):
    """An encoder that another engine than torch computes, pooling included."""

    proof: float
    "the smallest cosine of its vectors to those of torch in fp32"

    def vectors(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """One unit vector a text, [b, w], of ids [b, s] and the mask [b, s] that is True on the text (None: all is)."""
        ...


class LocalEncoder:
    """An encoder of `nn` behind the Embedder door.

    `precision` is what it computes in, fp32 or bf16, and `engine` what computes it, torch or onnx; `proof` the smallest
    cosine to torch in fp32 on a few fixed texts (1.0 where nothing had to be proven); `max_length` the tokens of a text
    that are read, special ones included.
    """

    def __init__(
        self,
        net: Encoder,
        tokenizer: Tokenizer,
        *,
        device: torch.device | None = None,
        precision: Precision = "auto",
        max_length: int = 0,
        pool_first: bool = False,
        graph: Graph | None = None,
    ) -> None:
        """Take over `net` (it is moved and perhaps cast); `pool_first` reads the first token instead of the mean.

        With a `graph`, that computes the vectors on the CPU, in fp32 and pooled its own way, and `net` tells the sizes
        alone. Without one, `auto` casts the weights themselves to bf16 where the device computes in it, and only if the
        vectors stay within cosine 0.999: autocast would cast them again in every batch. Raises UserError where
        max_length exceeds the model's positions.
        """
        self.device = device or torch.device("cpu")
        self.max_length = longest_text(net.arch, tokenizer, max_length)
        self.width = net.arch.width
        self.proof = 1.0
        self.precision: Precision = "fp32"
        self._tokenizer = tokenizer
        self._pool_first = pool_first
        self._net = net.to(self.device).eval()
        self._graph = graph
        self.engine = "torch" if graph is None else "onnx"
        if graph is not None:
            self.proof = graph.proof
        elif precision == "bf16" or (precision == "auto" and has_bf16(self.device)):
            self._cast(forced=precision == "bf16")

    def embed(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """One unit vector a text, of shape [texts, width], in the order given; longer texts are cut right.

        `progress` is called after every batch with the number of texts done so far.
        """
        rows = self._tokenizer.encode(texts, self.max_length)
        vectors = np.empty((len(rows), self.width), dtype=np.float32)
        done = 0
        for batch in plan([len(row) for row in rows], self.device):
            vectors[batch] = self._vectors([rows[index] for index in batch]).cpu().numpy()
            done += len(batch)
            if progress is not None:
                progress(done)
        return vectors

    def count(self, text: str) -> int:
        """How many tokens a text has, without the marks at its ends."""
        return len(self._tokenizer.plain([text])[0])

    def cut(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than max_length and lose their end."""
        return sum(length > self.max_length for length in self._tokenizer.count(texts))

    @torch.inference_mode()
    def _vectors(self, rows: Sequence[Sequence[int]]) -> Tensor:
        ids, mask = pad(rows, self._tokenizer.pad_id)  # [b, s], [b, s]
        if self._graph is not None:
            return self._graph.vectors(ids, mask)  # [b, w]
        ids, mask = ids.to(self.device), None if mask is None else mask.to(self.device)
        # Pooled in fp32 whatever the weights are: a mean over 500 bf16 numbers loses digits for nothing.
        pooled = self._net.first(ids, mask) if self._pool_first else mean_pool(self._net(ids, mask).float(), mask)
        return normalize(pooled.float(), dim=1)  # [b, w]

    def _cast(self, forced: bool) -> None:
        exact_net, exact = self._net, self.embed(_PROBES)
        self._net, self.precision = copy.deepcopy(exact_net).to(torch.bfloat16), "bf16"
        self.proof = float((exact * self.embed(_PROBES)).sum(1).min())
        if not forced and not self.proof >= EQUAL:  # not a number is no proof either
            self._net, self.precision = exact_net, "fp32"


def longest_text(arch: Arch, tokenizer: Tokenizer, max_length: int = 0) -> int:
    """How many tokens of a text are read: what is asked for, else what the folder says, never more than the positions.

    Raises UserError where more is asked for than the model has positions.
    """
    if max_length:
        arch.require(max_length)
        return max_length
    return min(tokenizer.max_length or arch.longest, arch.longest)


def plan(lengths: Sequence[int], device: torch.device) -> list[list[int]]:
    """Row numbers in batches that suit the device."""
    if device.type == "cpu":
        return by_length(lengths, CPU_ROWS)
    return by_length(lengths, GPU_ROWS, GPU_TOKENS)
