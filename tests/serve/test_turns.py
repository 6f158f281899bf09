"""Whose turn it is goes round between keys, in order within one, and nobody is overtaken."""

import itertools
import threading
from contextvars import copy_context

from dragoman.core.engine import Asked
from dragoman.core.sampling import Sampling
from dragoman.serve.refused import Gone
from dragoman.serve.turns import GIVEN_UP, Box, Mail, Place, Turns

NUMBERS = itertools.count()


def place(key: str, n: int = 1, deadline: float = 1e9) -> Place:
    how = Sampling(n=n, temperature=1.0 if n > 1 else 0.0)
    return Place(Asked(next(NUMBERS), (), how), key, deadline, Box())


def always(one: Place) -> bool:
    return True


def test_turns_go_round_between_keys() -> None:
    turns = Turns()
    for key in "aaaabbc":
        turns.push(place(key))
    order = [one.key for _ in range(7) if (one := turns.pop(always))]
    assert "".join(order) == "abcabaa"
    assert turns.count == 0
    assert turns.pop(always) is None


def test_one_that_does_not_fit_is_not_overtaken() -> None:
    turns = Turns()
    big, small = place("a", n=4), place("b")
    turns.push(big)
    turns.push(small)
    assert turns.pop(lambda one: one.left <= 2) is None
    assert turns.pop(always) is big
    assert turns.pop(lambda one: one.left <= 2) is small


def test_who_leaves_and_who_is_late_is_known() -> None:
    turns = Turns()
    first, late = place("a"), place("a", deadline=5.0)
    turns.push(first)
    turns.push(late)
    assert turns.late(6.0) == [late]
    assert turns.everybody() == [first, late]
    assert turns.remove(late)
    assert not turns.remove(late)
    assert turns.count == 1


def test_a_thread_is_told_that_its_work_is_for_nobody() -> None:
    given_up, box = threading.Event(), Box()

    def found() -> list[Mail]:
        GIVEN_UP.set(given_up)
        box.fetched.put([])
        first = box.fetch()
        given_up.set()
        return [first, box.fetch()]

    first, second = copy_context().run(found)
    assert first == []
    assert isinstance(second, Gone)
    box.fetched.put([])
    assert box.fetch() == []  # another thread's work goes on
