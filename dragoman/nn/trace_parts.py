"""From tensors to the plain values of a trace: packed arrays, a flat picture of embeddings, shares, predictions."""

import base64
from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

__all__ = [
    "named_first",
    "pack",
    "share_bytes",
    "trace_embeddings",
    "trace_lens",
    "trace_masked",
    "trace_next",
    "trace_shares",
]

NEIGHBOURS = 8
"how many neighbours each token is told"
GUESSES = 5
"how many predictions each layer is asked for"
NAMED = 400_000
"how many bytes the written forms of the vocabulary may take; the most probable tokens come first"
CANDIDATES = 10
"how many tokens are told for each mask"
_ROWS = 32
_CHUNK = 4096  # rows of logits or of the table at a time: a table of 256,000 words times a text is a gigabyte


def pack(values: Tensor) -> dict[str, object]:
    """An array of any shape as plain values: its shape, its kind, and its little-endian bytes in base64.

    Kinds are float32 for what floats, int32 for whole numbers, uint8 for bytes.
    """
    kinds = {torch.uint8: ("uint8", "<u1"), torch.int64: ("int32", "<i4"), torch.int32: ("int32", "<i4")}
    kind, order = kinds.get(values.dtype, ("float32", "<f4"))
    if kind == "float32":
        values = values.float()
    data = values.detach().cpu().contiguous().numpy().astype(order).tobytes()
    return {"shape": list(values.shape), "kind": kind, "data": base64.b64encode(data).decode("ascii")}


def share_bytes(shares: Float[Tensor, "..."]) -> Tensor:
    """Shares from 0 to 1 as one byte each: 255 times the square root.

    The root keeps small shares apart: the error is 0.0004 at a share of 0.01 and 0.004 at the most.
    """
    return (shares.clamp(0, 1).sqrt() * 255).round().to(torch.uint8)


def trace_shares(weights: Float[Tensor, "l h q k"], causal: bool) -> dict[str, object]:
    """Attention weights of every head; where no token sees what follows, only the lower triangles are kept."""
    layers, heads, queries, keys = weights.shape
    shares = share_bytes(weights)  # [l, h, q, k]
    if causal:
        row, column = torch.tril_indices(queries, keys)  # [q (q + 1) / 2]
        shares = shares[:, :, row, column]  # [l, h, q (q + 1) / 2]
    return {
        "layers": layers,
        "heads": heads,
        "queries": queries,
        "keys": keys,
        "causal": causal,
        "weights": pack(shares),
    }


def trace_embeddings(table: Float[Tensor, "v w"], ids: Sequence[int]) -> dict[str, object]:
    """The vectors of these tokens on their two principal axes (Pearson 1901), with their nearest neighbours by cosine.

    `ids` are distinct. `variance` is the share of the tokens' differences that each axis holds. A neighbour is
    (id, cosine, x, y), its place on the same axes.
    """
    chosen = table[list(ids)].detach().float().cpu()  # [n, w]
    centre = chosen.mean(0)  # [w]
    _, spread, axes = torch.linalg.svd(chosen - centre, full_matrices=False)  # [n, r], [r], [r, w]
    plane = torch.zeros(2, chosen.shape[1])  # [2, w]
    plane[: len(axes[:2])] = axes[:2]
    # An axis has no sign of its own: the largest part of each is made positive, so that all machines draw one picture.
    plane = plane * plane.gather(1, plane.abs().argmax(1, keepdim=True)).sign()  # [2, w]
    spread = spread / (float(spread[0]) or 1.0)  # [r]; the squares of very large numbers are none
    total = float(spread.square().sum()) or 1.0
    unit = normalize(chosen, dim=1)  # [n, w]
    parts = [
        normalize(part.detach().float().cpu(), dim=1) @ unit.T for part in torch.split(table, _CHUNK)
    ]  # [c, n] each
    cosines = torch.cat(parts).T  # [n, v]
    cosines[list(range(len(ids))), list(ids)] = -2.0  # nobody is a neighbour of itself
    best = cosines.topk(min(NEIGHBOURS, len(table) - 1))  # [n, k]
    near: list[list[list[float]]] = []
    for others, values in zip(best.indices, best.values.tolist(), strict=True):
        places = (table[others.to(table.device)].detach().float().cpu() - centre) @ plane.T  # [k, 2]
        told = zip(others.tolist(), values, places.tolist(), strict=True)
        near.append([[other, round(cosine, 4), round(x, 5), round(y, 5)] for other, cosine, (x, y) in told])
    return {
        "ids": list(ids),
        "points": pack((chosen - centre) @ plane.T),
        "variance": [round(float(one) ** 2 / total, 4) for one in (*spread[:2].tolist(), 0.0, 0.0)[:2]],
        "neighbours": near,
    }


def trace_lens(
    states: Sequence[Float[Tensor, "s w"]],
    read: Callable[[Float[Tensor, "s w"]], Float[Tensor, "s v"]],
    written: Sequence[int],
) -> dict[str, object]:
    """What each layer would predict: its states read by the model's own last norm and head (nostalgebraist 2020).

    `written` is the token that really stands where the prediction points, -1 where nothing does; its probability and
    rank are told too, and `named` are all ids that are told. Shapes: ids and probabilities [layers + 1, s, guesses],
    real and rank [layers + 1, s].
    """
    answer = torch.tensor(list(written))  # [s]
    rows = []
    for layer in states:
        # Some tokens at a time: the logits of 128 tokens over 256,000 words are 131 MB.
        pieces = zip(torch.split(layer, _ROWS), torch.split(answer, _ROWS), strict=True)
        read_rows = [_guesses(read(some), own) for some, own in pieces]
        rows.append([torch.cat(parts) for parts in zip(*read_rows, strict=True)])
    ids, chances, real, ranks = (torch.stack(parts) for parts in zip(*rows, strict=True))
    return {
        "ids": pack(ids),
        "probabilities": pack(chances),
        "real": pack(real),
        "rank": pack(ranks),
        "named": sorted(set(ids.flatten().tolist())),
    }


def _guesses(logits: Float[Tensor, "s v"], answer: Int[Tensor, " s"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The best guesses with their probabilities, and the probability and the rank of what was really written."""
    probabilities = logits.float().softmax(-1)  # [s, v]
    best = probabilities.topk(min(GUESSES, probabilities.shape[-1]), -1)  # [s, g]
    own = probabilities.gather(1, answer.clamp(min=0)[:, None])  # [s, 1]
    real = torch.where(answer >= 0, own[:, 0], torch.zeros(len(answer)))  # [s]
    return best.indices, best.values, real, (probabilities > own).sum(1)


def trace_masked(places: Sequence[int], logits: Float[Tensor, "m v"]) -> list[dict[str, object]]:
    """The most probable tokens for each mask, with their probabilities."""
    best = logits.softmax(-1).topk(min(CANDIDATES, logits.shape[-1]), -1)  # [m, k]
    rows = zip(places, best.indices.tolist(), best.values.tolist(), strict=True)
    return [
        {"position": place, "candidates": [list(pair) for pair in zip(ids, chances, strict=True)]}
        for place, ids, chances in rows
    ]


def trace_next(logits: Float[Tensor, " v"], seen: Sequence[int], ends: Sequence[int]) -> dict[str, object]:
    """Every logit of the next token, how often each token was seen, and which tokens end the answer."""
    counts: dict[str, int] = {}
    for number in seen:
        counts[str(number)] = counts.get(str(number), 0) + 1
    return {"logits": pack(logits), "counts": counts, "ends": list(ends)}


def named_first(logits: Float[Tensor, " v"], names: Callable[[Sequence[int]], Sequence[str]]) -> Mapping[int, str]:
    """The written forms of the most probable tokens, as many as NAMED bytes hold."""
    order: Int[Tensor, " v"] = logits.argsort(descending=True)  # [v]
    found: dict[int, str] = {}
    size = 0
    for start in range(0, len(order), _CHUNK):
        ids = order[start : start + _CHUNK].tolist()
        for number, name in zip(ids, names(ids), strict=True):
            size += len(name.encode("utf-8", "replace")) + 12  # the quotes, the number, the colon and the comma
            if size > NAMED:
                return found
            found[number] = name
    return found
