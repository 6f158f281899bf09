"""Rows become batches: padded apart, shared among processes and parts without changing what a step sees."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from dragoman.core.errors import UserError
from dragoman.core.shards import Documents
from dragoman.train.objectives.clm import Clm
from dragoman.train.packing import Texts
from dragoman.train.token_batches import Row, TokenBatch, filled, word_loss
from tests.train.texts import HOW, kit, model, texts


def row(*ids: int, documents: tuple[int, ...] = ()) -> Row:
    numbers = documents or (0,) * len(ids)
    return Row("one", np.array(ids), np.array(ids) + 1, np.array(numbers))


def test_padding_is_a_document_of_its_own_and_nothing_to_learn() -> None:
    batch = filled([row(5, 6, 7), row(8, 9)], 0, "cpu")
    assert batch.ids.tolist() == [[5, 6, 7], [8, 9, 0]]
    assert batch.labels.tolist() == [[6, 7, 8], [9, 10, -100]]
    assert batch.segments is not None
    assert batch.segments.tolist() == [[0, 0, 0], [0, 0, -1]]
    assert (batch.weight, batch.tokens) == (5.0, 5)


def test_rows_of_one_document_each_need_no_segments() -> None:
    assert filled([row(5, 6), row(8, 9)], 0, "cpu").segments is None
    assert filled([row(5, 6, documents=(0, 1)), row(8, 9)], 0, "cpu").segments is not None


def gathered(batches: tuple[TokenBatch, ...]) -> list[list[int]]:
    return [[token for token in ids if token] for batch in batches for ids in batch.ids.tolist()]


@pytest.mark.parametrize("accumulation", [1, 2, 5])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_a_step_is_the_same_rows_however_it_is_cut_and_shared(accumulation: int, ranks: int) -> None:
    net = model("clm")
    rows = Clm().encode(net, texts(40), kit())
    whole = next(Clm().stream(net, rows, kit(), 3))
    shared = [
        next(Clm().stream(net, rows, kit(replace(HOW, accumulation=accumulation), rank=rank, ranks=ranks), 3))
        for rank in range(ranks)
    ]
    assert len({len(parts) for parts in shared}) == 1  # processes wait for each other at every part
    together = tuple(batch for parts in shared for batch in parts)
    assert gathered(together) == gathered(whole)
    assert [name for batch in together for name in batch.names] == list(whole[0].names)
    assert sum(batch.weight for batch in together) == whole[0].weight


@pytest.mark.parametrize("kind", ["clm", "mlm", "span"])
@pytest.mark.parametrize("few", [False, True])
def test_the_loss_is_the_cross_entropy_of_the_logits(kind: str, few: bool) -> None:
    net = model(kind, seed=4)
    dice = torch.Generator().manual_seed(0)
    ids = torch.randint(64, (2, 7), generator=dice)  # [b, s]
    labels = torch.where(torch.rand(2, 7, generator=dice) < 0.4, ids, -100)  # [b, s]
    given = (ids, None, ids) if kind == "span" else (ids,)
    expected = functional.cross_entropy(net(*given).flatten(0, 1), labels.flatten(), reduction="sum")
    found = word_loss(net, net.states(*given), labels, few=few)
    assert torch.allclose(found, expected, rtol=1e-5)


def test_a_token_beyond_the_vocabulary_is_a_damaged_corpus() -> None:
    rows = Texts((Documents.of("x", [[5, 6, 64]], [3]),))
    net = model("clm")
    with pytest.raises(UserError, match=r"token 64, and the tokenizer has 64"):
        next(Clm().stream(net, Clm().encode(net, rows, kit()), kit(), 0))
