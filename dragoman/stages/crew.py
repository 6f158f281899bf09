"""Processes that do the same work on many tasks, with the answers in the order of the tasks."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from types import TracebackType
from typing import TypeVar

from dragoman.core.errors import UserError

__all__ = ["Crew", "cores"]

Task = TypeVar("Task")
Answer = TypeVar("Answer")
_AHEAD = 2  # tasks a worker that are handed out before they are asked for: no more is held in memory


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Crew:
    """Some worker processes, started fresh when the first two tasks are there; with one worker, this process itself.

    A worker has one thread of its own, ignores Ctrl-C and ends with this process however that ends.
    """

    def __init__(self, workers: int) -> None:
        """`workers` is how many there are; 0 is one a core."""
        self._count = workers or cores()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def work(self, function: Callable[[Task], Answer], tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer]]:
        """Each task with its answer, in order. `function` stands at the top of a module, tasks and answers can be
        pickled. A UserError of a worker is raised here."""
        waiting: deque[tuple[Task, Future[Answer | _Mistake]]] = deque()
        coming = iter(tasks)
        first, second = next(coming, None), next(coming, None)
        if first is None:
            return
        if self._count == 1 or second is None:  # one task is done here: to start a process takes half a second
            for task in (first, *([] if second is None else [second])):
                yield task, function(task)
            for task in coming:
                yield task, function(task)
            return
        for task in (first, second):
            waiting.append((task, self._begin(function, task)))
        for task in coming:
            waiting.append((task, self._begin(function, task)))
            if len(waiting) > self._count * _AHEAD:
                yield _end(*waiting.popleft())
        while waiting:
            yield _end(*waiting.popleft())

    def _begin(self, function: Callable[[Task], Answer], task: Task) -> "Future[Answer | _Mistake]":
        if self._pool is None:
            fresh = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
            self._pool = ProcessPoolExecutor(self._count, fresh, _prepare)
        return self._pool.submit(_do, function, task)


class _Mistake:
    """A UserError on its way from a worker: as an exception it could not be pickled."""

    def __init__(self, problem: str, hint: str) -> None:
        self.problem = problem
        self.hint = hint


def _do(function: Callable[[Task], Answer], task: Task) -> Answer | _Mistake:
    try:
        return function(task)
    except UserError as error:
        return _Mistake(error.problem, error.hint)


def _end(task: Task, future: "Future[Answer | _Mistake]") -> tuple[Task, Answer]:
    try:
        answer = future.result()
    except BrokenProcessPool:
        raise UserError(
            "a worker process was killed, most likely because memory ran out",
            "give fewer, workers=1; the same command goes on from what is done",
        ) from None
    if isinstance(answer, _Mistake):
        raise UserError(answer.problem, answer.hint)
    return task, answer


def _prepare() -> None:
    """A worker's own settings: one thread, so that the crew takes no more cores than it has workers."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["RAYON_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    """End with the process that started this one: a killed one tells nobody, and its workers would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
