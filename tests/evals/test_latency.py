"""Requests are timed one at a time, after a warm-up."""

from collections.abc import Iterator, Sequence

from dragoman.app.assistant import Assistant, NoModel
from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.evals.interval import at_quantile
from dragoman.evals.latency import REQUESTS, measure_latency


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
    clock = ticking(0.0625)
    spent = measure_latency(count(seen), [str(n) for n in range(500)], clock=lambda: next(clock))
    assert spent == (62.5,) * REQUESTS
    assert seen == [1] * (REQUESTS + 5)


def test_few_rows_are_asked_again() -> None:
    seen: list[int] = []
    assert len(measure_latency(count(seen), ["a", "b"])) == REQUESTS


def test_slow_assistants_are_not_timed_for_ever() -> None:
    clock = ticking(30.0)
    assert len(measure_latency(count([]), ["a"], clock=lambda: next(clock))) == 20


def test_a_few_pauses_of_the_machine_prove_nothing_against_the_assistant() -> None:
    spent = [10.0] * (REQUESTS - 7) + [500.0] * 7
    assert at_quantile(spent, 0.95).high == 10.0
    assert at_quantile([10.0] * 99 + [500.0], 0.95).high == 500.0  # as it is with a hundred
