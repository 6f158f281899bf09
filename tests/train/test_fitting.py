"""Whole examples in rows: none cut, none lost, none twice, and the same rows at the same step whoever asks."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.shards import Documents
from dragoman.train.fitting import (
    Fitted,
    Lesson,
    Written,
    best_fit,
    fit_rows,
    replayed_rows,
    row_of,
    shorten,
    stream_fitted,
)
from dragoman.train.packing import Rows, Stream
from dragoman.train.token_batches import IGNORED, TokenBatch
from tests.train.lessons import HOW, kit, lessons


def written(size: int, name: str = "e", learnt: int = 1) -> Written:
    """An example of so many tokens, the last of which are learnt."""
    ids = range(10, 10 + size)
    return Written(name, row_of(ids), row_of([IGNORED] * (size - learnt) + [one + 1 for one in ids[size - learnt :]]))


def fitted(count: int = 23, pack: bool = True) -> Fitted:
    sizes = np.random.default_rng(0).integers(2, 20, count).tolist()
    return fit_rows([written(size, f"e{row}") for row, size in enumerate(sizes)], 24, 3, pack)


def old(length: int = 24) -> Rows:
    return Rows((Stream(Documents.of("old", [list(range(4, 300))], [600]), (1,), end=2),), (1.0,), length, 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_every_example_is_in_one_row_and_no_row_is_too_long(sizes: list[int]) -> None:
    rows = best_fit(sizes, 30)
    assert sorted(place for row in rows for place in row) == list(range(len(sizes)))
    assert all(sum(sizes[place] for place in row) <= 30 or len(row) == 1 for row in rows)
    assert rows == best_fit(sizes, 30) == sorted(rows)
    full = sorted(sum(sizes[place] for place in row) for row in rows)
    assert len(full) == 1 or full[0] + full[1] > 30  # no two rows would go into one


@pytest.mark.parametrize("most", [40, 120, 250])
def test_little_is_left_empty(most: int) -> None:
    sizes = np.random.default_rng(1).integers(5, most, 2000).tolist()
    assert sum(sizes) / (256 * len(best_fit(sizes, 256))) >= 0.9


def test_a_row_holds_its_examples_as_documents_of_their_own() -> None:
    made = fit_rows([written(3, "a"), written(4, "b", 2), written(20, "c")], 24, 0, True)
    assert made.rows == ((0,), (1, 2))  # the longest first, each into the fullest row that has room
    row = made.row(1)
    assert row.name == "b+c"
    assert row.ids.tolist() == [*range(10, 14), *range(10, 30)]
    assert row.documents.tolist() == [0] * 4 + [1] * 20
    assert row.labels.tolist() == [IGNORED, IGNORED, 13, 14] + [IGNORED] * 19 + [30]
    assert [len(one) for one in fit_rows([written(3)] * 5, 24, 0, False).rows] == [1] * 5


def test_a_pair_counts_with_its_longer_side() -> None:
    pair = replace(written(5), targets=row_of(range(15)), labels=row_of(range(15)))
    made = fit_rows([pair, pair, replace(pair, ids=row_of(range(9)))], 24, 0, True)
    assert len(made.rows) == 3
    row = fit_rows([pair, pair], 30, 0, True).row(0)
    assert (len(row.ids), len(row.targets), len(row.labels)) == (10, 30, 30)  # type: ignore[arg-type]
    assert row.target_documents.tolist() == [0] * 15 + [1] * 15  # type: ignore[union-attr]


def test_an_epoch_has_every_row_once_and_the_next_in_another_order() -> None:
    made = fitted()
    steps = made.steps_an_epoch(4)
    first, second = ([made.batch(step, 4) for step in range(start, start + steps)] for start in (0, steps))
    names = [[row.name for rows in epoch for row in rows] for epoch in (first, second)]
    assert sorted(names[0]) == sorted(names[1]) == sorted(made.row(place).name for place in range(len(made.rows)))
    assert names[0] != names[1]


def test_a_batch_is_a_function_of_its_step() -> None:
    made = replace(fitted(), replay=old(), share=0.4)
    wanted = {step: [row.name for row in made.batch(step, 4)] for step in range(20)}
    fresh = replace(fitted(), replay=old(), share=0.4)
    for step in (17, 3, 11, 3, 0):
        fresh.batch(step, 3)  # another size meanwhile
        assert [row.name for row in fresh.batch(step, 4)] == wanted[step]


@pytest.mark.parametrize("share", [0.1, 0.25, 1 / 3, 0.5, 0.9])
def test_the_share_of_replayed_rows_is_exact_over_many_steps(share: float) -> None:
    rows, size, steps = old(), 6, 120
    counts = [len(replayed_rows(rows, share, step, size)) for step in range(steps)]
    assert abs(sum(counts) - steps * size * share / (1 - share)) <= 1
    assert max(counts) - min(counts) <= 1
    names = [row.name for step in range(3) for row in replayed_rows(rows, share, step, size)]
    assert len(set(names)) == len(names) and all(name.startswith("replay:old:") for name in names)
    assert replayed_rows(None, share, 0, size) == []


def test_the_digest_changes_with_everything_that_is_learnt() -> None:
    made = fitted()
    one, *rest = made.examples
    others = [
        replace(made, examples=(replace(one, **change), *rest))
        for change in (
            {"name": "x"},
            {"ids": row_of([9, *one.ids[1:]])},
            {"labels": row_of([9, *one.labels[1:]])},
            {"targets": one.ids},
        )
    ]
    others += [replace(made, rows=made.rows[::-1]), replace(made, share=0.5), replace(made, replay=old())]
    others += [replace(made, replay=old(12))]
    digests = [made.digest(), *(other.digest() for other in others)]
    assert len(set(digests)) == len(digests)
    assert made.digest() == fitted().digest()


def test_what_is_too_long_loses_its_end_or_all() -> None:
    one = written(10, learnt=4)
    assert shorten(one, 10, "right") is one
    right = shorten(one, 8, "right")  # the place where the cut went through learns nothing
    assert right is not None and right.ids.tolist() == one.ids[:8].tolist()
    assert right.labels.tolist() == [*one.labels[:7].tolist(), IGNORED]
    assert right.learnt == 1 and one == written(10, learnt=4)
    assert shorten(one, 7, "right") is None
    assert shorten(one, 6, "right") is None  # no answer is left
    assert shorten(one, 9, "drop") is None


def test_examples_are_equal_by_what_they_hold_and_small() -> None:
    assert written(5) == written(5) != written(5, learnt=2)
    assert written(5) != written(5, "other") and fitted() == fitted()
    assert replace(written(5), ids=row_of(()), targets=written(5).ids) != written(5)
    one = written(4)
    assert {column.dtype.itemsize for column in (one.ids, one.labels, one.targets)} == {4}


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("accumulation", [1, 2, 3])
def test_every_process_and_part_has_its_rows_of_each_step(ranks: int, accumulation: int) -> None:
    made, how = fitted(9, pack=False), replace(HOW, batch=6, accumulation=accumulation)
    for step in range(4):  # the second of an epoch has three rows
        parts = list[TokenBatch]()
        for rank in range(ranks):
            mine = next(stream_fitted(made, replace(kit(), how=how, rank=rank, ranks=ranks), step))
            assert len(mine) == min(accumulation, 6 // ranks)
            parts += mine
        rows = made.batch(step, 6)
        assert Counter(name for part in parts for name in part.names) == Counter(row.name for row in rows)
        assert sum(part.weight for part in parts) == len(rows)
        assert sum(part.tokens for part in parts) == sum(len(row.ids) for row in rows)


def test_a_lesson_has_the_length_of_its_examples() -> None:
    assert len(Lesson(lessons(7))) == 7
