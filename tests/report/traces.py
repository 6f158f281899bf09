"""Small traces made up by hand, one of each kind of model, in the form that `nn.trace` gives."""

import base64
from typing import Any

import numpy as np

__all__ = ["TEXT", "encoder_decoder", "filler", "packed", "reader", "speaker", "unpacked"]

TEXT = "the cat sat on the mat"
WORDS = ["<s>", " the", " cat", " sat", " on", " mat", ".", " dog", " ran", " a", "!", "</s>"]
DICE = 7


def packed(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    """An array as a trace holds it."""
    kinds = {"u": ("uint8", "<u1"), "i": ("int32", "<i4"), "f": ("float32", "<f4")}
    kind, order = kinds[values.dtype.kind]
    data = base64.b64encode(values.astype(order).tobytes()).decode()
    return {"shape": list(values.shape), "kind": kind, "data": data}


def unpacked(given: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The array that a trace holds."""
    order = {"uint8": "<u1", "int32": "<i4", "float32": "<f4"}[given["kind"]]
    return np.frombuffer(base64.b64decode(given["data"]), order).reshape(given["shape"])


def _tokens(ids: list[int]) -> list[dict[str, Any]]:
    return [
        {"id": n, "text": WORDS[n], "bytes": "" if n in (0, 11) else WORDS[n].encode().hex(), "special": n in (0, 11)}
        for n in ids
    ]


def _shares(layers: int, heads: int, queries: int, keys: int, causal: bool) -> dict[str, Any]:
    raw = np.random.default_rng(DICE).random((layers, heads, queries, keys)) ** 3
    if causal:
        raw = np.tril(raw)
    bytes_ = np.rint(255 * np.sqrt(raw / raw.sum(-1, keepdims=True))).astype(np.uint8)
    if causal:
        bytes_ = bytes_[:, :, *np.tril_indices(queries)]
    sizes = {"layers": layers, "heads": heads, "queries": queries, "keys": keys, "causal": causal}
    return {**sizes, "weights": packed(bytes_)}


def _lens(side: str, rows: int, count: int) -> dict[str, Any]:
    random = np.random.default_rng(DICE)
    chances = np.sort(random.dirichlet(np.ones(5), (rows, count)), -1)[..., ::-1].astype(np.float32)
    return {
        "of": side,
        "ids": packed(random.integers(0, len(WORDS), (rows, count, 5))),
        "probabilities": packed(chances),
        "real": packed(chances[..., 0]),
        "rank": packed(np.zeros((rows, count), int)),
    }


def _trace(kind: str, position: str, values: np.ndarray[Any, Any]) -> dict[str, Any]:
    ids = [0, 1, 2, 3, 4, 1, 5]
    distinct = list(dict.fromkeys(ids))
    random = np.random.default_rng(DICE)
    near = [[[n, 0.5, 0.1 * n, -0.1 * n] for n in (7, 8, 9)] for _ in distinct]
    return {
        "schema": 1,
        "title": "tiny",
        "model": "models/tiny",
        "kind": kind,
        "family": "tiny",
        "text": TEXT,
        "facts": [["layers", "2"], ["heads", "3"]],
        "sizes": {"layers": 2, "heads": 3, "kv_heads": 3, "width": 8, "vocabulary": len(WORDS), "longest": 16},
        "left_out": 0,
        "names": {str(n): word for n, word in enumerate(WORDS)},
        "tokens": _tokens(ids),
        "targets": [],
        "embeddings": {
            "ids": distinct,
            "points": packed(random.normal(size=(len(distinct), 2))),
            "variance": [0.5, 0.25],
            "neighbours": near,
        },
        "positions": {"kind": position, "values": packed(values), "scaling": ""},
        "attention": {"self": _shares(2, 3, 7, 7, kind == "decoder")},
        "lens": None,
        "next": None,
        "masked": [],
    }


def _next(side: str, ids: list[int]) -> dict[str, Any]:
    logits = np.random.default_rng(DICE).normal(size=len(WORDS)) * 2
    return {"after": side, "logits": packed(logits), "counts": {str(n): ids.count(n) for n in ids}, "ends": [11]}


def speaker() -> dict[str, Any]:
    """A decoder with rotary positions."""
    trace = _trace("decoder", "rotary", np.outer(np.arange(7), [1.0, 0.1, 0.01]))
    return trace | {"lens": _lens("tokens", 3, 7), "next": _next("tokens", [0, 1, 2, 3, 4, 1, 5])}


def filler() -> dict[str, Any]:
    """A masked language model with learned positions and two gaps."""
    trace = _trace("encoder", "learned", np.random.default_rng(DICE).normal(size=(7, 8)))
    gaps = [{"position": place, "candidates": [[2, 0.7], [7, 0.2]]} for place in (2, 6)]
    return trace | {"lens": _lens("tokens", 3, 7), "masked": gaps}


def reader() -> dict[str, Any]:
    """An encoder without a head, with ALiBi."""
    return _trace("encoder", "alibi", -np.abs(np.arange(13) - 6.0) * np.array([[0.5], [0.25], [0.125]]))


def encoder_decoder() -> dict[str, Any]:
    """Two stacks with relative positions."""
    trace = _trace("encoder-decoder", "relative", np.random.default_rng(DICE).normal(size=(3, 13)))
    trace["attention"] |= {"target": _shares(2, 3, 4, 4, True), "cross": _shares(2, 3, 4, 7, False)}
    written = [0, 9, 7, 8]
    return trace | {
        "targets": _tokens(written),
        "lens": _lens("targets", 3, 4),
        "next": _next("targets", written),
    }
