"""The scheduler gives each its own, in turns, within its bounds, and one that leaves or breaks costs no other one."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dragoman.core.engine import Asked
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.refused import Refused
from dragoman.serve.scheduler import Scheduler, Ticket
from tests.serve.scripted import Scripted

HOW = Sampling(max_tokens=50)


def asked(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


@contextmanager
def running(engine: Scripted, limits: Limits = Limits()) -> Iterator[Scheduler]:  # noqa: B008 - frozen
    scheduler = Scheduler(engine, limits, Meters("test"))
    scheduler.start()
    try:
        yield scheduler
    finally:
        engine.gate.set()
        scheduler.stop()


async def said(ticket: Ticket) -> str:
    return "".join([piece.text async for pieces in ticket for piece in pieces])


def test_each_gets_its_own_and_they_share_steps() -> None:
    engine = Scripted(rows=3)
    texts = [f"{number} and some more words" for number in range(9)]

    async def all_of_them(scheduler: Scheduler) -> list[str]:
        return await asyncio.gather(*(said(scheduler.submit(asked(text), HOW)) for text in texts))

    engine.gate.clear()
    with running(engine) as scheduler:
        engine.gate.set()
        assert asyncio.run(all_of_them(scheduler)) == texts
        assert scheduler.live == 0
    assert engine.most == 3
    assert engine.steps < 9 * 5
    page = scheduler.meters.page().decode()
    assert "dragoman_written_tokens_total 45.0" in page
    assert "dragoman_first_token_seconds_count 9.0" in page


def test_one_key_with_many_requests_costs_another_one_turn() -> None:
    engine = Scripted(rows=1)

    async def all_of_them(scheduler: Scheduler) -> None:
        tickets = [scheduler.submit(asked(f"mine {number}"), HOW, key="greedy") for number in range(8)]
        tickets.append(scheduler.submit(asked("yours"), HOW, key="modest"))
        engine.gate.set()
        await asyncio.gather(*map(said, tickets))

    engine.gate.clear()
    with running(engine) as scheduler:
        asyncio.run(all_of_them(scheduler))
    order = [one.prompt[-1].content for one in engine.asked]
    assert order.index("yours") <= 2


def test_a_full_queue_is_refused_before_anything_is_read() -> None:
    engine = Scripted(rows=1)

    async def fill(scheduler: Scheduler) -> None:
        kept = [scheduler.submit(asked("a b"), HOW)]
        while not engine.asked:
            await asyncio.sleep(0.001)
        kept += [scheduler.submit(asked("a b"), HOW) for _ in range(2)]
        with pytest.raises(Refused) as refused:
            scheduler.submit(asked(""), HOW)  # an empty prompt would be told, were it looked at
        assert refused.value.status == 429
        assert refused.value.retry_after >= 1
        engine.gate.set()
        assert [await said(ticket) for ticket in kept] == ["a b"] * 3

    engine.gate.clear()
    with running(engine, Limits(queue=2)) as scheduler:
        asyncio.run(fill(scheduler))


def test_who_leaves_frees_its_place_within_two_steps() -> None:
    engine = Scripted(rows=2, pause=0.005)

    async def leave(scheduler: Scheduler) -> None:
        gone, stays, waits = (scheduler.submit(asked(f"{name} " + "word " * 40), HOW) for name in "gsw")
        async for _ in gone:
            break
        steps = engine.steps
        gone.cancel()
        gone.cancel()
        while not engine.cancelled:
            await asyncio.sleep(0.001)
        assert engine.steps - steps <= 2
        late = scheduler.submit(asked("never begun"), HOW)
        late.cancel()
        assert (await said(stays)).startswith("s word")
        assert (await said(waits)).startswith("w word")
        assert scheduler.live == 0

    with running(engine) as scheduler:
        asyncio.run(leave(scheduler))
    assert "never begun" not in [one.prompt[-1].content for one in engine.asked]


def test_time_to_begin_and_time_in_all_are_bounded() -> None:
    engine = Scripted(rows=1, pause=0.01)

    async def wait(scheduler: Scheduler) -> None:
        long = scheduler.submit(asked("word " * 60), Sampling(max_tokens=60))
        late = scheduler.submit(asked("late"), HOW)
        with pytest.raises(Refused, match="waited too long") as refused:
            await said(late)
        assert refused.value.status == 503
        with pytest.raises(Refused):
            await said(long)

    with running(engine, Limits(wait_seconds=0.05, whole_seconds=0.3)) as scheduler:
        asyncio.run(wait(scheduler))


def test_an_answer_that_nobody_reads_is_cut() -> None:
    engine = Scripted(rows=2)

    async def unread(scheduler: Scheduler) -> None:
        ticket = scheduler.submit(asked("wordword " * 50), HOW)
        other = scheduler.submit(asked("short"), HOW)
        assert await said(other) == "short"
        while scheduler.live:
            await asyncio.sleep(0.001)
        with pytest.raises(Refused, match="not read in time"):
            await said(ticket)

    with running(engine, Limits(stream_characters=100)) as scheduler:
        asyncio.run(unread(scheduler))


def test_a_step_that_breaks_fails_what_was_under_way_and_nothing_after(capsys: pytest.CaptureFixture[str]) -> None:
    engine = Scripted(rows=1, breaks="bomb")

    async def broken(scheduler: Scheduler) -> None:
        with pytest.raises(Refused) as refused:
            await said(scheduler.submit(asked("a bomb"), HOW))
        assert refused.value.status == 500
        assert await said(scheduler.submit(asked("fine"), HOW)) == "fine"
        assert scheduler.ready

    with running(engine) as scheduler:
        asyncio.run(broken(scheduler))
    shown = capsys.readouterr().err
    assert "RuntimeError" in shown
    assert "a bomb" not in shown


def test_a_mistake_is_told_at_once_and_a_stop_refuses_who_waits() -> None:
    engine = Scripted(rows=1)

    async def stop(scheduler: Scheduler) -> None:
        with pytest.raises(UserError, match="says nothing"):
            scheduler.submit(asked(""), HOW)
        tickets = [scheduler.submit(asked("a b c"), HOW) for _ in range(2)]
        scheduler.draining = True
        with pytest.raises(Refused) as refused:
            scheduler.submit(asked("x"), HOW)
        assert refused.value.status == 503
        assert not scheduler.ready
        scheduler.stop()
        for ticket in tickets:
            with pytest.raises(Refused, match="stopping"):
                await said(ticket)

    engine.gate.clear()
    with running(engine) as scheduler:
        asyncio.run(stop(scheduler))
        with pytest.raises(Refused, match="stopping"):
            scheduler.wait_for(asked("x"), HOW)


def test_several_answers_end_together_and_threads_may_wait() -> None:
    engine = Scripted(rows=4)
    with running(engine) as scheduler:
        ticket = scheduler.wait_for(asked("one two"), Sampling(n=3, temperature=1.0))
        pieces = [piece for some in ticket for piece in some]
        assert [piece.index for piece in pieces if piece.finish] == [0, 1, 2]
        assert ticket.prompt_tokens == 2
        deadline = time.monotonic() + 5
        while scheduler.live and time.monotonic() < deadline:
            time.sleep(0.001)
        assert scheduler.live == 0


def test_an_engine_that_is_down_is_said_before_anything_is_read() -> None:
    class Down(Scripted):
        def healthy(self) -> bool:
            return False

    with running(Down()) as scheduler:
        assert not scheduler.ready
        with pytest.raises(Refused) as refused:
            scheduler.check_room()
        assert refused.value.status == 503
        with pytest.raises(Refused, match="does not answer"):
            scheduler.wait_for(asked("x"), HOW)


def test_a_request_that_the_engine_cannot_take_fails_alone(capsys: pytest.CaptureFixture[str]) -> None:
    class Picky(Scripted):
        def add(self, asked: Asked) -> None:
            if "bomb" in asked.prompt[-1].content:
                raise RuntimeError(asked.prompt[-1].content)
            if "late" in asked.prompt[-1].content:
                raise UserError("there is no adapter of that name", "name another one")
            super().add(asked)

    engine = Picky(rows=4)

    async def all_of_them(scheduler: Scheduler) -> None:
        tickets = [scheduler.submit(asked(text), HOW) for text in ("a b c", "a bomb", "too late", "d e")]
        engine.gate.set()
        found = await asyncio.gather(*map(said, tickets), return_exceptions=True)
        assert found[::3] == ["a b c", "d e"]
        assert [getattr(one, "status", 0) for one in found] == [0, 500, 400, 0]
        assert scheduler.live == 0
        assert scheduler._rows == 0

    engine.gate.clear()
    with running(engine) as scheduler:
        asyncio.run(all_of_them(scheduler))
    assert "a bomb" not in capsys.readouterr().err


class Counting(Scripted):
    """Counts as slowly as `counted` is set."""

    counted: threading.Event

    def count(self, asked: Asked) -> int:
        self.counted.wait(5)
        return super().count(asked)


def test_those_whose_tokens_are_being_counted_fill_the_queue() -> None:
    engine = Counting()
    engine.counted = threading.Event()

    async def enter(scheduler: Scheduler) -> None:
        entering = [asyncio.create_task(scheduler.enter(asked("a b"), HOW)) for _ in range(2)]
        await asyncio.sleep(0)
        assert scheduler.full
        with pytest.raises(Refused) as refused:
            await scheduler.enter(asked("c"), HOW)
        assert refused.value.status == 429
        engine.counted.set()
        assert [await said(await one) for one in entering] == ["a b"] * 2
        with pytest.raises(UserError):
            await scheduler.enter(asked(""), HOW)
        assert not scheduler.full

    with running(engine, Limits(queue=2)) as scheduler:
        asyncio.run(enter(scheduler))


def test_the_engine_is_told_to_forget_who_was_counted_and_never_began() -> None:
    engine = Counting(rows=1, pause=0.01)
    engine.counted = threading.Event()
    engine.counted.set()

    async def leave(scheduler: Scheduler) -> None:
        long = scheduler.submit(asked("word " * 60), Sampling(max_tokens=60))
        while not engine.asked:
            await asyncio.sleep(0.001)
        gone = scheduler.submit(asked("gone"), HOW)
        late = scheduler.submit(asked("late"), HOW)
        gone.cancel()
        with pytest.raises(Refused, match="waited too long"):
            await said(late)
        engine.counted.clear()
        refused = asyncio.create_task(scheduler.enter(asked("refused"), HOW))
        await asyncio.sleep(0)
        scheduler.draining = True
        engine.counted.set()
        with pytest.raises(Refused, match="stopping"):
            await refused
        long.cancel()
        while len(engine.cancelled) < 4:
            await asyncio.sleep(0.001)
        assert sorted(engine.cancelled) == [1, 2, 3, 4]
        assert scheduler.live == 0

    with running(engine, Limits(wait_seconds=0.05)) as scheduler:
        asyncio.run(leave(scheduler))
