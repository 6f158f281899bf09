"""Every row goes into exactly one batch, next to rows of like length."""

from hypothesis import given
from hypothesis import strategies as st

from dragoman.nn.padding import by_length, pad


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 9), st.sampled_from([0, 40, 100]))
def test_batches_hold_each_row_once_and_keep_their_bounds(lengths: list[int], rows: int, tokens: int) -> None:
    batches = by_length(lengths, rows, tokens)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= rows
        assert not tokens or len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= tokens
    flat = [lengths[row] for batch in batches for row in batch]
    assert flat == sorted(flat, reverse=True)


def test_ties_keep_their_order() -> None:
    assert by_length([3, 5, 3, 3], rows=2) == [[1, 0], [2, 3]]


def test_short_rows_are_filled_on_the_right() -> None:
    ids, mask = pad([[1, 2, 3], [4]], pad_id=9)
    assert ids.tolist() == [[1, 2, 3], [4, 9, 9]]
    assert mask is not None
    assert mask.tolist() == [[True, True, True], [True, False, False]]


def test_rows_of_one_length_need_no_mask() -> None:
    assert pad([[1, 2], [3, 4]], pad_id=9)[1] is None
