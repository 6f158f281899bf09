"""Windows over a long text: each token is answered for once, far from the edges where it can be."""

from itertools import pairwise

import pytest

from dragoman.nn.windows import Window, spread


@pytest.mark.parametrize("room", [1, 2, 5, 8, 16])
@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 15, 16, 17, 64, 101])
def test_every_token_is_answered_for_once(length: int, room: int) -> None:
    windows = spread(length, room)
    owned = [token for window in windows for token in range(window.own, window.end)]
    assert owned == list(range(length))
    assert all(window.last - window.first <= room for window in windows)
    assert all(window.first <= window.own <= window.end <= window.last for window in windows)
    if length > room:
        assert all(window.last - window.first == room for window in windows)
        shared = [one.last - other.first for one, other in pairwise(windows)]
        assert min(shared) >= room // 4


def test_a_token_has_neighbours_on_both_sides() -> None:
    for one, other in pairwise(spread(500, 100, 40)):
        assert one.last - one.end >= 20
        assert other.own - other.first >= 20


def test_what_fits_is_read_once() -> None:
    assert spread(9, 9) == [Window(0, 9, 0, 9)]
    assert spread(0, 4) == [Window(0, 0, 0, 0)]
    with pytest.raises(ValueError, match="windows of 4"):
        spread(9, 4, 4)
