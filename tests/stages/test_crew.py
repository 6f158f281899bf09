"""A crew answers in the order of the tasks, tells mistakes as such, and ends with who started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.stages.crew import Crew, cores


def whose(task: int) -> tuple[int, int]:
    """The square of a number and who made it."""
    return task * task, os.getpid()


def refuse_three(task: int) -> int:
    """A mistake at three."""
    if task == 3:
        raise UserError("three is wrong", "give two")
    return task


def end(task: int) -> int:
    """A worker that the system kills."""
    os.kill(os.getpid(), signal.SIGKILL)
    return task


def test_answers_come_in_order_from_other_processes() -> None:
    with Crew(2) as crew:
        found = list(crew.work(whose, range(9)))
        assert [(task, answer[0]) for task, answer in found] == [(number, number * number) for number in range(9)]
        assert os.getpid() not in {answer[1] for _, answer in found}
        with pytest.raises(UserError, match="three is wrong") as caught:
            list(crew.work(refuse_three, range(9)))
        assert caught.value.hint == "give two"


def test_one_worker_is_this_process() -> None:
    with Crew(1) as crew:
        assert {answer[1] for _, answer in crew.work(whose, range(5))} == {os.getpid()}
        assert [task for task, _ in crew.work(whose, range(5))] == list(range(5))
    with Crew(2) as crew:
        assert {answer[1] for _, answer in crew.work(whose, [7])} == {os.getpid()}  # not worth a process
        assert list(crew.work(whose, [])) == []
    assert cores() >= 1


def test_few_tasks_are_taken_ahead() -> None:
    taken: list[int] = []

    def tasks():  # type: ignore[no-untyped-def]
        for number in range(100):
            taken.append(number)
            yield number

    with Crew(2) as crew:
        for task, _ in crew.work(whose, tasks()):
            assert len(taken) <= task + 6


def test_a_killed_worker_is_told() -> None:
    with Crew(2) as crew, pytest.raises(UserError, match="a worker process was killed"):
        list(crew.work(end, range(5)))


def test_workers_end_with_who_started_them(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from dragoman.stages.crew import Crew\n"
        "from tests.stages.test_crew import whose\n"
        "if __name__ == '__main__':\n"
        "    crew = Crew(2)\n"
        "    found = dict(crew.work(whose, range(4)))\n"
        "    print(*{one[1] for one in found.values()}, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (tmp_path / "start.py").write_text(code)
    root = Path(__file__).resolve().parents[2]
    said = subprocess.run(
        [sys.executable, str(tmp_path / "start.py")],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert said.returncode == -signal.SIGKILL
    workers = [int(number) for number in said.stdout.split()]
    assert workers
    for _ in range(200):
        if not any(alive(number) for number in workers):
            return
        time.sleep(0.1)
    pytest.fail("a worker outlived who started it")


def alive(number: int) -> bool:
    """Whether a process is there and no mere entry of an ended one."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
