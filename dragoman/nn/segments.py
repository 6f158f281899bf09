"""Several documents in one row: where each begins, and who belongs to whom.

A row is packed so that none of it is padding. Both halves are needed for each document to be read as if it stood alone:
the others are hidden, and positions begin anew. Measured on a small GPT-2, KL to the documents alone: neither 0.105
nats, the mask alone 0.066, positions alone 0.93, both 2e-6 (Krell et al. 2021 say why).
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from dragoman.nn.arch import Arch

__all__ = ["count_places", "list_lengths", "place_documents", "share_segment", "share_source", "told_apart"]

_LONG = 256
"from how many tokens of a row on documents may be gone through one by one"
_SAVED = 2**14
"how many pairs of tokens, counted once for all heads, each document must save: going to one costs about as much"


def told_apart(segments: Int[Tensor, "b s"] | None, *others: object) -> Int[Tensor, "b s"] | None:
    """The segments, or None where no row holds more than one document: attention without a mask is cheaper.

    Raises ValueError where one of `others`, a mask or a cache, is given too: a segment says all that they say.
    """
    if segments is None:
        return None
    if any(other is not None for other in others):
        raise ValueError("segments say what a token sees: there can be no mask and no cache beside them")
    return None if _looked_at(segments) and bool((segments == segments[:, :1]).all()) else segments


def count_places(segments: Int[Tensor, "b s"]) -> Int[Tensor, "b s"]:
    """The position of each token in its document, from 0."""
    row = torch.arange(segments.shape[1], device=segments.device)  # [s]
    starts = row.expand_as(segments).clone()  # [b, s]
    starts[:, 1:] *= segments[:, 1:] != segments[:, :-1]
    return row - starts.cummax(1).values  # [b, s]


def place_documents(segments: Int[Tensor, "b s"], arch: Arch, front: int = 0) -> Int[Tensor, "b s"]:
    """The same, once it is sure that the model has so many. Raises UserError where a document is longer.

    `front` is how many learnt places stand in front of each document, which `arch` has left out of its count already.

    A row may be longer than the model's positions; only then is its longest document looked for, which a GPU waits for.
    """
    places = count_places(segments)  # [b, s]
    if front:  # what fills a row up, number -1, may be longer than any document, and nobody reads it
        places = places.masked_fill(segments < 0, 0)  # [b, s]
    if segments.shape[1] > arch.longest:
        arch.require(int(places.max()) + 1 - front)
    return places


def list_lengths(segments: Int[Tensor, "b s"]) -> tuple[int, ...]:
    """How long each document is, row by row, where going through them one by one costs less than a mask; else none.

    Forward and backward on one core, ms, by a mask / one by one. bf16, 8 heads of 64, four of which answer: 2 rows of
    500 with 3 documents each: 43 / 15, with 2: 41 / 29; 4 rows of 256 with 2: 23 / 13, with 4: 17 / 13; 8 rows of 128
    with 4: 9 / 17. fp32, rows of about four: 16 of 256, 12 heads: 164 / 126; 4 of 512, 8 heads: 130 / 62; 4 of 1024, 12
    heads: 738 / 325. With 12 heads in bf16, 16 rows of 256: 123 / 142.
    """
    rows, tokens = segments.shape
    if tokens < _LONG or not _looked_at(segments):
        return ()
    first = torch.ones_like(segments, dtype=torch.bool)  # [b, s]
    first[:, 1:] = segments[:, 1:] != segments[:, :-1]
    starts = first.flatten().nonzero()[:, 0]  # [documents]
    lengths = starts.diff(append=starts.new_tensor([rows * tokens]))  # [documents]
    if rows * tokens * tokens - int((lengths * lengths).sum()) < _SAVED * len(lengths):
        return ()
    return tuple(lengths.tolist())


def share_segment(asking: Int[Tensor, "b q"], answering: Int[Tensor, "b k"]) -> Bool[Tensor, "b 1 q k"]:
    """True where a query and a key are of one document.

    A query whose document has no key sees all of them: softmax over nothing is not a number. It is a filling token,
    whose state nobody reads.
    """
    same = asking[:, None, :, None] == answering[:, None, None, :]  # [b, 1, q, k]
    return same | ~same.any(-1, keepdim=True)


def share_source(
    mask: Bool[Tensor, "b t"] | None, segments: Int[Tensor, "b s"] | None, source_segments: Int[Tensor, "b t"] | None
) -> Bool[Tensor, "b 1 _ t"] | None:
    """What the tokens of an answer may see of its source: its text, or of a packed one the document of their number.

    Raises ValueError where sources are packed and answers are not, or where there is a mask beside segments.
    """
    if source_segments is None:
        return None if mask is None else mask[:, None, None, :]
    if segments is None or mask is not None:
        raise ValueError("a packed source goes with packed answers, and with no mask")
    alone = _looked_at(segments) and bool((segments == source_segments[:, :1]).all())
    if alone and bool((source_segments == source_segments[:, :1]).all()):
        return None
    return share_segment(segments, source_segments)


def _looked_at(segments: Tensor) -> bool:
    """Whether numbers may be looked at now: a GPU would have to be waited for, and a compiler knows none."""
    return segments.device.type == "cpu" and not torch.compiler.is_compiling()
