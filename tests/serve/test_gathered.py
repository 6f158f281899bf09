"""Answers are put together from pieces in any order, and a failure is told by whose mistake it is."""

import pytest

from dragoman.core.engine import Piece
from dragoman.core.sampling import Completion, Token
from dragoman.serve.gathered import Gathered, check_pieces
from dragoman.serve.refused import Refused


def test_answers_are_put_together() -> None:
    token = Token("b", 7, -0.5)
    made = Gathered(2)
    made.take([Piece(1, read=3, reused=2), Piece(1, 1, "a", count=1)])
    made.take([Piece(1, 0, "b", (token,), 1, "length"), Piece(1, 1, "c", count=1, finish="stop")])
    assert made.completions(3) == [Completion("b", 1, "length", 3, (token,)), Completion("ac", 2, "stop", 3)]
    assert made.reused == 2


@pytest.mark.parametrize(("fault", "status"), [(0, 500), (400, 400), (413, 400), (422, 400), (429, 503), (502, 500)])
def test_a_failure_is_told_by_whose_mistake_it_is(fault: int, status: int) -> None:
    with pytest.raises(Refused) as refused:
        check_pieces([Piece(1, text="fine"), Piece(1, finish="error", problem="a secret", fault=fault)])
    assert refused.value.status == status
    assert "secret" not in refused.value.message


def test_a_shape_that_cannot_be_kept_is_a_mistake_in_the_request() -> None:
    with pytest.raises(Refused) as refused:
        check_pieces([Piece(1, finish="error", problem="the grammar forbids it")])
    assert (refused.value.status, refused.value.param) == (400, "response_format")
    check_pieces([Piece(1, text="fine", finish="stop")])
