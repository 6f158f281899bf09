"""Positions come from the right rows of the table."""

import torch

from dragoman.nn.positions import LearnedPositions
from tests.nn.tiny import ARCHES


def test_roberta_starts_after_its_padding_row() -> None:
    positions = LearnedPositions(ARCHES["roberta"])
    assert torch.equal(positions(torch.arange(5)[None])[0], positions.table.weight[2:7])


def test_bert_starts_at_row_zero() -> None:
    positions = LearnedPositions(ARCHES["bert"])
    assert torch.equal(positions(torch.arange(5)[None])[0], positions.table.weight[:5])
