"""How long one request takes: timed one at a time, after a warm-up, on a sample of real rows."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from dragoman.app.assistant import Assistant
from dragoman.core.doors import Prompt

__all__ = ["REQUESTS", "WARM_UP", "measure_latency"]

REQUESTS = 300
"how many requests are timed where nothing else is asked for"
WARM_UP = 5
"requests before them that are not timed"


def measure_latency(
    assistant: Assistant,
    questions: Sequence[str | Prompt],
    *,
    requests: int = REQUESTS,
    warm_up: int = WARM_UP,
    longest: float = 60.0,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, ...]:
    """Milliseconds of each request at batch 1; fewer rows than requests are asked again in turn.

    Fewer than 72 requests cannot bound a 95th percentile without assuming a shape, and of 100 the bound is the slowest
    of all: one pause of the machine and nothing is proven. Of 300 it is the eighth slowest. Stops early after `longest`
    seconds, but not before 20 requests.
    """
    order = np.random.default_rng(seed).permutation(len(questions))[:requests]
    chosen = [questions[place] for place in order]
    for number in range(min(warm_up, requests)):
        assistant.answer([chosen[number % len(chosen)]])
    begun = clock()
    spent: list[float] = []
    for number in range(requests):
        start = clock()
        assistant.answer([chosen[number % len(chosen)]])
        end = clock()
        spent.append((end - start) * 1000.0)
        if end - begun > longest and len(spent) >= 20:
            break
    return tuple(spent)
