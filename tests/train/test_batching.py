"""Every row once an epoch, in an order that is a pure function of seed and step, in batches of like length."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dragoman.train.batching import batches_of_epoch, chained, parts, steps_an_epoch, stream_rows, to_device
from tests.train.small import HOW, begun

LENGTHS = np.random.default_rng(0).geometric(0.1, 1000) + 2


@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 2**31), st.integers(0, 50))
def test_every_row_stands_in_exactly_one_batch(rows: int, batch: int, seed: int, epoch: int) -> None:
    lengths = np.arange(rows) % 7
    found = batches_of_epoch(lengths, batch, seed, epoch)
    assert sorted(int(row) for one in found for row in one) == list(range(rows))
    assert len(found) == steps_an_epoch(rows, batch)
    assert sorted(len(one) for one in found)[1:] == [batch] * (len(found) - 1)


@pytest.mark.parametrize("start", [0, 1, 30, 31, 32, 100])
def test_the_order_is_a_function_of_the_step(start: int) -> None:
    whole = [list(rows) for rows in itertools.islice(stream_rows(LENGTHS, 32, 5, 0), 140)]
    later = [list(rows) for rows in itertools.islice(stream_rows(LENGTHS, 32, 5, start), 40)]
    assert later == whole[start : start + 40]


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = {
        tuple(int(row) for rows in batches_of_epoch(LENGTHS, 32, seed, epoch) for row in rows)
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9


def test_next_to_nothing_is_padding() -> None:
    found = batches_of_epoch(LENGTHS, 32, 0, 0)
    computed = sum(len(rows) * int(LENGTHS[rows].max()) for rows in found)
    plain = np.random.default_rng(1).permutation(1000)
    without = sum(len(r) * int(LENGTHS[r].max()) for r in np.array_split(plain, 32))
    assert computed < 1.15 * LENGTHS.sum()
    assert without > 2.5 * LENGTHS.sum()


def test_batches_do_not_come_from_short_to_long() -> None:
    longest = [int(LENGTHS[rows].max()) for rows in batches_of_epoch(LENGTHS, 32, 0, 0)]
    assert abs(np.corrcoef(longest, range(len(longest)))[0, 1]) < 0.4


@pytest.mark.parametrize("pieces", [1, 2, 3, 8])
def test_parts_hold_the_same_rows_in_the_same_order(pieces: int) -> None:
    training = begun()
    rows = np.array([3, 9, 1, 30, 22, 4, 5, 6])
    kit = training.kit.__class__(HOW.__class__(batch=8, accumulation=pieces), training.kit.tokenizer)
    found = parts(training.encoded, rows, kit)
    assert len(found) == pieces
    assert [name for batch in found for name in batch.names] == [f"e{row}" for row in rows]
    assert sum(batch.weight for batch in found) == 8.0
    assert sum(batch.tokens for batch in found) == sum(len(training.encoded.ids[row]) for row in rows)
    for batch in found:
        lengths = [len(training.encoded.ids[int(name[1:])]) for name in batch.names]
        assert batch.ids.shape == (len(batch.names), max(lengths))  # padded to its own longest
        assert (batch.mask is None) == (len(set(lengths)) == 1)
        if batch.mask is not None:
            assert batch.mask.sum(1).tolist() == lengths


def test_states_stand_in_for_ids_where_they_are_given() -> None:
    training = begun()
    states = torch.arange(40.0)[:, None].expand(40, 16)
    (batch,) = parts(training.encoded, np.array([7, 2]), training.kit, states)
    assert batch.first is not None
    assert batch.first[:, 0].tolist() == [7.0, 2.0]
    assert batch.ids.numel() == 0


def test_the_chain_tells_orders_apart() -> None:
    one = chained(chained("", ["a", "b"]), ["c"])
    assert one == chained(chained("", ["a", "b"]), ["c"])
    assert len({one, chained(chained("", ["b", "a"]), ["c"]), chained(chained("", ["a"]), ["b", "c"])}) == 3


def test_on_the_cpu_nothing_is_copied() -> None:
    tensor = torch.ones(2)
    assert to_device(tensor, "cpu") is tensor
