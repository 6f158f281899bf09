"""The journal: every request, what people thought of its answer, their conversations, and what each key has spent.

One thread writes. What has come up while it waited for the disk goes into its next transaction, so that a hundred
requests cost as many syncs as one; `keep` returns when that transaction is on the disk. What is acknowledged survives
a kill and a power cut.

What is kept of a request is the policy's choice. Its figures (tokens, times, status, lineage) are always kept while the
journal is on; its texts for a share of the requests, or not at all. The texts of those that fall outside of the share
are held in memory for a while, the last 512 of them: where one gets feedback, they are written with it, for a
correction without its question teaches nothing. Requests go after some days, the oldest first, and their feedback with
them. Conversations are the user's own: they are kept as they are, until their owner deletes them. What keys spend is
always written, also where the journal is off: a budget survives a restart.
"""

import asyncio
import contextlib
import hashlib
import re
import sqlite3
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dragoman.core.errors import UserError
from dragoman.serve import journal_acts as acts
from dragoman.serve.journal_acts import Act, Conversation, Find
from dragoman.serve.journal_read import spent
from dragoman.serve.journal_schema import DAY, SECOND, SECONDS_KEPT, Entry, opened
from dragoman.serve.meters import Meters
from dragoman.serve.refused import Refused

__all__ = ["Conversation", "Entry", "Journal", "Policy", "request_of"]

T = TypeVar("T")
ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
FORMS = ("chatcmpl-", "cmpl-", "ask-")  # the ids that a client sees; the request's own begins with req-
TOGETHER = 512  # things done in one transaction
WAITING = 4096  # things that may wait for the disk: behind these, it is taken for lost
REMEMBERED, REMEMBERED_CHARACTERS = 512, 4 << 20
PAUSE = 0.25  # seconds that what is spent may wait for a request to share its transaction
SWEEP, SWEPT = 60.0, 500  # seconds between two looks for what is too old, and how much of it goes at once
DAYS_KEPT = 400  # how long what is spent is known by the day
SAY = 60.0  # seconds between two complaints


@dataclass(frozen=True, slots=True)
class Policy:
    """What the journal keeps, and for how long."""

    on: bool = True
    "Whether requests and feedback are kept at all."
    share: float = 1.0
    "The share of requests whose texts are kept, chosen by the hash of their id."
    texts: bool = True
    "Whether any texts of requests are kept, or their figures alone."
    days: float = 30.0
    "How many days a request is kept."
    rows: int = 1_000_000
    "How many requests are kept."
    strict: bool = False
    "Whether a request is refused where it cannot be written; else it is answered, counted as lost, and said."
    wait_seconds: float = 5.0
    "How long an answer waits for a slow disk."
    history: bool = True
    "Whether conversations of the page are kept."
    conversations: int = 500
    "How many conversations one key may have."
    mask: Find | None = None
    "Finds what is personal in the texts of requests and feedback; names are written in its place."

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise UserError(f"{self.share:g} is not a share", "give one from 0 to 1")
        if self.days <= 0 or self.rows <= 0 or self.conversations <= 0:
            raise UserError("a journal keeps at least something", "give a number above 0, or turn it off")

    def samples(self, request_id: str) -> bool:
        """Whether the texts of a request are among those that are kept."""
        number = int.from_bytes(hashlib.sha256(request_id.encode("utf-8", "replace")).digest()[:7])
        return self.texts and number < self.share * (1 << 56)


@dataclass(eq=False)
class _Job:
    """Something that waits to be done, and who waits for it, if anybody."""

    act: Act[Any]
    promise: asyncio.Future[Any] | None


def request_of(given: str) -> str:
    """The id of a request by any of the ids that its answer may have: `req-abc` of `chatcmpl-abc`."""
    for form in FORMS:
        if given.startswith(form):
            return f"req-{given.removeprefix(form)}"
    return given


class Journal:
    """Writes to one file. `start` raises UserError where it cannot be opened; all else is for one event loop."""

    def __init__(self, path: Path, policy: Policy) -> None:
        self.path = path
        self.policy = policy
        self.lost = 0
        "requests that were answered and could not be written"
        self._connection: sqlite3.Connection | None = None
        self._waiting: list[_Job] = []
        self._spent: dict[tuple[str, int], tuple[int, int]] = {}
        self._change = threading.Condition()
        self._stopped = True
        self._sweep_at = 0.0
        self._said_at = -SAY
        self._unsampled: OrderedDict[str, Entry] = OrderedDict()
        self._characters = 0
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)

    def start(self) -> None:
        """Open the file and begin to write."""
        self._connection = opened(self.path)
        self._stopped = False
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, then let go of the file."""
        with self._change:
            self._stopped = True
            self._change.notify()
        if self._thread.is_alive():
            self._thread.join(timeout=40)  # longer than SQLite waits for another process

    def show_in(self, meters: Meters) -> None:
        """Let the server's figures tell how it goes."""
        meters.watch("journal_lost_requests", "Requests that could not be written down.", lambda: self.lost)
        meters.watch("journal_waiting", "What waits to be written down.", lambda: len(self._waiting))

    async def keep(self, entry: Entry) -> None:
        """Write a request down: on the disk when this returns; at once where the policy does not keep its texts.

        Raises Refused (503) where it cannot be written and the policy is strict.
        """
        if not self.policy.on:
            return
        sampled = self.policy.samples(entry.id)
        act = acts.Keep(entry, sampled, self.policy.mask)
        try:
            if sampled or not self.policy.texts:
                await self._ask(act)
            else:
                self._remember(entry)
                self._push(_Job(act, None))
        except Refused as refused:
            if self.policy.strict:
                raise refused from None

    async def note(self, request_id: str, key: str, thumb: int | None, correction: str, comment: str) -> bool:
        """Write down what somebody thinks of an answer: on the disk when this returns. False where this key never got
        an answer of that id, or requests are not kept.

        `thumb` is 1, -1, or None. Raises Refused (503) where it cannot be written.
        """
        if not self.policy.on:
            return False
        own = request_of(request_id)
        entry = self._unsampled.get(own)
        if entry is not None and entry.key != key:
            return False
        if thumb is None and not correction and not comment:
            entry = None  # what was thought is taken back, and there is nothing to learn from its texts
        act = acts.Note(own, key, time.time(), thumb, correction, comment, entry, self.policy.mask)
        return await self._ask(act)

    async def conversations(self, key: str) -> list[Conversation]:
        """Those of a key, the newest first, without their messages. Raises Refused (404) where none are kept."""
        self._check_history()
        return await self._ask(acts.Listed(key))

    async def conversation(self, key: str, conversation_id: str) -> Conversation | None:
        """One with its messages; None where this key has none of that id. Raises Refused (404) where none are kept."""
        self._check_history()
        return await self._ask(acts.Read(key, conversation_id))

    async def put_conversation(
        self, key: str, conversation_id: str, title: str, messages: str, model: str = ""
    ) -> Conversation:
        """Keep a conversation whole, in the place of the one with its id; `messages` is JSON. On the disk when this
        returns. Raises Refused: 400 for an id that is none, 413 where there are too many, 404 where none are kept."""
        self._check_history()
        if not ID.fullmatch(conversation_id):
            raise Refused(400, "the id of a conversation is 8 to 64 letters, digits, - and _")
        made = Conversation(conversation_id, title, time.time(), model, messages)
        if not await self._ask(acts.Put(key, made, self.policy.conversations)):
            raise Refused(413, f"there are {self.policy.conversations} conversations: delete some first")
        return made

    async def drop_conversation(self, key: str, conversation_id: str) -> bool:
        """Delete a conversation for good; whether it was there. Raises Refused (404) where none are kept."""
        self._check_history()
        return await self._ask(acts.Drop(key, conversation_id))

    def spend(self, key: str, at: float, requests: int, tokens: int) -> None:
        """Add to what a key has spent. It is on the disk with the next request that is kept, or a moment later."""
        with self._change:
            before = self._spent.get((key, int(at)), (0, 0))
            self._spent[key, int(at)] = (before[0] + requests, before[1] + tokens)
            self._change.notify()

    def spent(self, key: str, since: float) -> tuple[int, int]:
        """Requests and tokens that a key has spent since a moment, as the file has it; see `journal_read.spent`."""
        return spent(self.path, key, since)

    def _check_history(self) -> None:
        if not self.policy.history:
            raise Refused(404, "this server keeps no conversations")

    def _remember(self, entry: Entry) -> None:
        """Hold the texts of a request in memory for a while, for the feedback that it may get."""
        self._unsampled[entry.id] = entry
        self._characters += len(entry.prompt) + len(entry.answer)
        while len(self._unsampled) > REMEMBERED or self._characters > REMEMBERED_CHARACTERS:
            _, old = self._unsampled.popitem(last=False)
            self._characters -= len(old.prompt) + len(old.answer)

    async def _ask(self, act: Act[T]) -> T:
        """Have it done, and wait until the disk has it. Raises Refused (503) where it cannot be, or takes too long."""
        promise: asyncio.Future[T | Refused] = asyncio.get_running_loop().create_future()
        self._push(_Job(act, promise))
        done, _ = await asyncio.wait([promise], timeout=self.policy.wait_seconds)
        found = promise.result() if done else Refused(503, "the journal's disk is too slow", 5)
        if isinstance(found, Refused):
            raise found
        return found

    def _push(self, job: _Job) -> None:
        with self._change:
            if not self._stopped and len(self._waiting) < WAITING:
                self._waiting.append(job)
                self._change.notify()
                return
            self.lost += isinstance(job.act, acts.Keep)
        raise Refused(503, "the journal cannot be written now", 5)

    def _work(self) -> None:
        assert self._connection is not None
        with contextlib.closing(self._connection):
            while True:
                with self._change:
                    self._change.wait_for(self._has_work, max(0.0, self._sweep_at - time.monotonic()))
                    if self._spent and not self._waiting:
                        self._change.wait_for(lambda: self._waiting or self._stopped, PAUSE)
                    jobs, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
                    spends, self._spent = self._spent, {}
                    last = self._stopped and not self._waiting
                if jobs or spends:
                    self._commit(jobs, spends)
                if last:
                    return
                if time.monotonic() >= self._sweep_at:
                    self._sweep()

    def _has_work(self) -> bool:
        return bool(self._waiting or self._spent or self._stopped)

    def _commit(self, jobs: Sequence[_Job], spends: Mapping[tuple[str, int], tuple[int, int]]) -> None:
        """Do all in one transaction; where one of them is at fault, each alone, so that only that one fails."""
        try:
            found = self._transact([*(job.act for job in jobs), acts.Spend(spends)])
        except Exception as error:
            if isinstance(error, sqlite3.OperationalError) or len(jobs) < 2:
                self._fail(jobs, spends, error)
                return
            for number, job in enumerate(jobs):
                self._commit([job], {} if number else spends)
            return
        _settle([(job, result) for job, result in zip(jobs, found, strict=False)])

    def _transact(self, given: Sequence[Act[Any]]) -> list[Any]:
        assert self._connection is not None
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            found = [act.write(self._connection) for act in given]
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            raise
        return found

    def _fail(self, jobs: Sequence[_Job], spends: Mapping[tuple[str, int], tuple[int, int]], error: Exception) -> None:
        """Nothing of it is on the disk: who waits is told, and what was spent is tried again."""
        with self._change:
            self.lost += sum(isinstance(job.act, acts.Keep) for job in jobs)
            for (key, second), (requests, tokens) in spends.items():
                before = self._spent.get((key, second), (0, 0))
                self._spent[key, second] = (before[0] + requests, before[1] + tokens)
        if time.monotonic() - self._said_at >= SAY:  # without the error's words: they may hold what a client sent
            self._said_at = time.monotonic()
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            told = f"{self.path} cannot be written ({name}); {self.lost} requests are lost to it until now"
            sys.stderr.write(f"dragoman: the journal {told}\n")
            sys.stderr.flush()
        _settle([(job, Refused(503, "the journal cannot be written now", 5)) for job in jobs])

    def _sweep(self) -> None:
        """Delete some of what is too old. Where there is more of it, the next look comes at once."""
        assert self._connection is not None
        now, gone = time.time(), 0
        try:
            found = self._transact([_Aged(now, self.policy)])
            gone = found[0]
            if gone:
                self._connection.execute("PRAGMA incremental_vacuum(256)").fetchall()
        except sqlite3.Error as error:
            self._fail([], {}, error)
        self._sweep_at = time.monotonic() + (0.0 if gone == SWEPT else SWEEP)


@dataclass(frozen=True, slots=True)
class _Aged:
    """What is too old, or too much, goes: the oldest first, with its feedback."""

    now: float
    policy: Policy

    def write(self, connection: sqlite3.Connection) -> int:
        """How many requests went."""
        sql = (
            "DELETE FROM entries WHERE number IN (SELECT number FROM entries WHERE at < ? "
            "OR number <= (SELECT max(number) FROM entries) - ? ORDER BY number LIMIT ?)"
        )
        aged = (self.now - self.policy.days * DAY, self.policy.rows, SWEPT)
        gone = connection.execute(sql, aged).rowcount
        for grain, kept in ((SECOND, SECONDS_KEPT), (DAY, DAYS_KEPT * DAY)):
            connection.execute("DELETE FROM spent WHERE grain = ? AND start < ?", (grain, self.now - kept))
        return gone


def _settle(results: Sequence[tuple[_Job, Any]]) -> None:
    """Keep each promise in its own loop, with one call a loop."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for job, result in results:
        if job.promise is not None:
            loops.setdefault(job.promise.get_loop(), []).append((job.promise, result))
    for loop, some in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits
            loop.call_soon_threadsafe(_fulfil, some)


def _fulfil(results: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for promise, result in results:
        if not promise.done():
            promise.set_result(result)
