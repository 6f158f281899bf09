"""Bits a byte do not depend on how a text is cut into tokens, rows or batches."""

import math

import numpy as np
import pytest

from dragoman.core.types import Answer
from dragoman.metrics.bits_per_byte import BitsPerByte

METRIC = BitsPerByte()


def row(nats: float, size: int, tokens: int) -> np.ndarray:
    return METRIC.measure(Answer("", (), {"nats": nats, "bytes": float(size), "tokens": float(tokens)}), ())


def test_a_uniform_model_over_bytes_needs_eight_bits() -> None:
    texts = ["plain", "naïve", "日本語"]
    sizes = [len(text.encode()) for text in texts]
    for bytes_a_token in (1, 2, 3):
        rows = [row(size * math.log(256), size, -(-size // bytes_a_token)) for size in sizes]
        assert METRIC.combine(np.stack(rows)) == pytest.approx(8.0, abs=1e-12)


def test_split_rows_and_rows_of_nothing_change_nothing() -> None:
    whole = METRIC.combine(np.stack([row(6.0, 10, 4), row(2.0, 3, 1)]))
    parts = METRIC.combine(np.stack([row(4.0, 7, 3), row(2.0, 3, 1), row(2.0, 3, 1), row(0.0, 0, 0)]))
    assert whole == pytest.approx(parts, abs=1e-12)
