"""Requests are timed one at a time, after a warm-up."""

from collections.abc import Iterator, Sequence

from dragoman.app.assistant import Assistant, NoModel
from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.evals.latency import measure_latency


def ticking(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


def count(seen: list[int]) -> Assistant:
    def step(turns: Sequence[Turn], lm: LM) -> list[Turn]:
        seen.append(len(turns))
        return list(turns)

    return Assistant(NoModel(), (step,))


def test_batch_one_after_a_warm_up() -> None:
    seen: list[int] = []
    clock = ticking(0.25)
    spent = measure_latency(count(seen), [str(n) for n in range(500)], clock=lambda: next(clock))
    assert spent == (250.0,) * 100
    assert seen == [1] * 105


def test_few_rows_are_asked_again() -> None:
    seen: list[int] = []
    assert len(measure_latency(count(seen), ["a", "b"])) == 100


def test_slow_assistants_are_not_timed_for_ever() -> None:
    clock = ticking(30.0)
    assert len(measure_latency(count([]), ["a"], clock=lambda: next(clock))) == 20
