"""The model's thread: turns are taken, places are given back, and a batch never mixes answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import pytest

from dragoman.core.doors import Prompt
from dragoman.core.sampling import Completion, Sampling
from dragoman.models.fake import FakeLM
from dragoman.serve.engine_lm import EngineLM
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.refused import Refused
from dragoman.serve.worker import Worker
from tests.serve.conftest import Fake, answer
from tests.serve.scripted import Scripted
from tests.serve.test_scheduler import asked, running


def with_worker(fake: Fake, limits: Limits, act: Callable[[Worker], Awaitable[None]]) -> None:
    """Run `act` in an event loop beside a worker."""

    async def main() -> None:
        worker = Worker(fake, limits, Meters("r"))
        worker.start()
        try:
            await asyncio.wait_for(act(worker), 20)
        finally:
            fake.go.set()
            worker.stop()

    asyncio.run(main())


def test_a_small_request_does_not_wait_behind_a_large_one() -> None:
    fake = Fake(seconds=0.02)

    async def act(worker: Worker) -> None:
        large = worker.submit([f"large {number}" for number in range(64)])
        small = worker.submit(["small"])
        assert [turn.answer for turn in await small.promise] == [answer("small")]
        assert not large.promise.done()
        assert [turn.answer for turn in await large.promise] == [answer(f"large {number}") for number in range(64)]

    with_worker(fake, Limits(batch=8), act)
    assert fake.seen.index("small") < 16
    assert max(fake.batches) <= 8


def test_places_are_counted_and_given_back() -> None:
    fake = Fake()
    fake.go.clear()

    async def act(worker: Worker) -> None:
        jobs = [worker.submit([f"{number}"]) for number in range(3)]
        with pytest.raises(Refused) as refused:
            worker.submit(["late"])
        assert refused.value.status == 429
        assert 1 <= refused.value.retry_after <= 60
        worker.drop(jobs[2])
        jobs.append(worker.submit(["next"]))
        fake.go.set()
        for job in (*jobs[:2], jobs[3]):
            await job.promise
        assert not worker.full

    with_worker(fake, Limits(queue=3, batch=1), act)
    assert "2" not in fake.seen


def test_a_stop_refuses_who_waits() -> None:
    fake = Fake()
    fake.go.clear()

    async def act(worker: Worker) -> None:
        job = worker.submit(["a"])
        worker.stop()
        with pytest.raises(Refused) as refused:
            await job.promise
        assert refused.value.status == 503
        with pytest.raises(Refused):
            worker.submit(["b"])
        assert not worker.ready

    with_worker(fake, Limits(), act)


def test_what_is_too_old_is_never_read() -> None:
    fake = Fake()
    fake.go.clear()

    async def act(worker: Worker) -> None:
        first = worker.submit(["first"])
        while not fake.batches:
            await asyncio.sleep(0.01)
        worker.submit(["second"])
        time.sleep(0.1)
        fake.go.set()
        await asyncio.sleep(0.1)
        assert first.promise.done()

    with_worker(fake, Limits(answer_seconds=0.05), act)
    assert fake.seen == ["first"]


def test_a_wrong_number_of_answers_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake()
    monkeypatch.setattr(fake, "answer", lambda texts: [])

    async def act(worker: Worker) -> None:
        with pytest.raises(Refused) as refused:
            await worker.submit(["a"]).promise
        assert refused.value.status == 500

    with_worker(fake, Limits(), act)


def test_many_at_once_keep_their_answers() -> None:
    fake = Fake(seconds=0.001)

    async def act(worker: Worker) -> None:
        texts = [[f"{'x' * (number % 40)}{number}" for number in range(start, start + 7)] for start in range(0, 700, 7)]
        found = await asyncio.gather(*(worker.submit(each).promise for each in texts))
        assert [[turn.answer for turn in each] for each in found] == [[answer(text) for text in each] for each in texts]

    with_worker(fake, Limits(queue=100, batch=16), act)


def test_what_nobody_waits_for_any_more_is_not_written_on() -> None:
    engine = Scripted(rows=4, longest=10_000)

    async def leave(worker: Worker) -> None:
        async def begun() -> None:
            while engine.busy() < 2:
                await asyncio.sleep(0.001)

        jobs = [worker.submit([text]) for text in ("mine " * 5000, "yours " * 5000)]
        worker.start()
        await begun()
        worker.drop(jobs[0])  # the other one is written in the same batch
        assert not worker._given_up.is_set()
        worker.drop(jobs[1])
        assert [turn.text for turn in await worker.submit(["next"]).promise] == ["next"]
        assert sorted(engine.cancelled) == [1, 2]
        assert not any(job.promise.done() for job in jobs)

    with running(engine) as scheduler:

        async def main() -> None:
            worker = Worker(Writing(EngineLM(FakeLM(), scheduler)), Limits(batch=8), Meters("w"))
            try:
                await asyncio.wait_for(leave(worker), 20)
            finally:
                worker.stop()

        engine.pause = 0.001
        asyncio.run(main())


@dataclass
class Writing:
    """Answers with what the model writes."""

    lm: EngineLM

    def answer(self, questions: Sequence[str | Prompt]) -> Sequence[Completion]:
        """Written side by side."""
        return self.lm.generate([asked(str(text)) for text in questions], Sampling(max_tokens=10_000))
