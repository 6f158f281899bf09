"""What each key may spend: requests and tokens a minute, tokens a day, counted exactly and also over a restart.

A minute is the last sixty full seconds and the one at hand, so that in no sixty seconds more than the budget is let in;
a day is a calendar day in UTC. A request is counted when it is let in, its prompt's tokens before anything of it is
read by the model, and written tokens as they come: an answer that runs past the budget ends there, at most one step
late. What is refused here is not counted; a request that is let in here and fails later is. Keys are told apart by
their names. The counts are those of one server: two that share a journal each let in a whole budget until they are
started again.
"""

import math
import time
from collections import deque
from dataclasses import dataclass, field

from dragoman.serve.journal import Journal
from dragoman.serve.journal_read import recent
from dragoman.serve.journal_schema import DAY
from dragoman.serve.keys import Key
from dragoman.serve.refused import Refused

__all__ = ["Budgets", "Left"]

MINUTE = 61  # seconds: the one at hand, which is not over, and sixty full ones
TOLD = "this key has spent its"


@dataclass(frozen=True, slots=True)
class Left:
    """What a key may still spend now; None where there is no bound."""

    requests_per_minute: int | None
    tokens_per_minute: int | None
    tokens_per_day: int | None


@dataclass(eq=False)
class _Account:
    """What one name has spent in the last minute, by second, and today."""

    parts: deque[tuple[int, int, int]] = field(default_factory=deque)
    "second since 1970, requests, tokens"
    requests: int = 0
    tokens: int = 0
    day: int = 0
    today: int = 0
    "tokens of that day"

    def move(self, now: float) -> None:
        """Forget what is over at this moment."""
        while self.parts and self.parts[0][0] <= now - MINUTE:
            _, requests, tokens = self.parts.popleft()
            self.requests -= requests
            self.tokens -= tokens
        if int(now // DAY) != self.day:
            self.day, self.today = int(now // DAY), 0

    def add(self, now: float, requests: int, tokens: int) -> None:
        """Count something at this moment, which is no earlier than the last."""
        second = int(now)
        if self.parts and self.parts[-1][0] >= second:
            second, before, held = self.parts.pop()
            self.parts.append((second, before + requests, held + tokens))
        else:
            self.parts.append((second, requests, tokens))
        self.requests += requests
        self.tokens += tokens
        self.today += tokens

    def wait(self, now: float, kind: int, most: int) -> int:
        """Whole seconds until at most `most` requests (kind 1) or tokens (kind 2) of the minute are left."""
        held = self.requests if kind == 1 else self.tokens
        for part in self.parts:
            held -= part[kind]
            if held <= most:
                return max(1, math.ceil(part[0] + MINUTE - now))
        return MINUTE


class Budgets:
    """The accounts of all keys. With a journal they begin where they ended, and all is written down. One thread's."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal
        self._accounts: dict[str, _Account] = {}
        # Wall time that runs evenly: a clock that is set meanwhile gives nobody a second budget, and takes nobody's.
        self._offset = time.time() - time.monotonic()

    def start(self, now: float | None = None) -> None:
        """Go on from what the journal has; it is started before. Raises UserError where it cannot be read."""
        if self._journal is None:
            return
        now = self._now(now)
        for part in recent(self._journal.path, now - MINUTE):
            if part.start <= now:  # else the clock was set back meanwhile
                account = self._account(part.key, now)
                account.add(part.start, part.requests, part.tokens)
                account.move(now)
        for account in self._accounts.values():
            account.today = 0
        for part in recent(self._journal.path, now, DAY):
            self._account(part.key, now).today += part.tokens

    def admit(self, key: Key, now: float | None = None) -> None:
        """Let a request in and count it, or raise Refused (429) with the seconds after which the next one may come."""
        now = self._now(now)
        account = self._account(key.name, now)
        if key.requests_per_minute and account.requests >= key.requests_per_minute:
            wait = account.wait(now, 1, key.requests_per_minute - 1)
            raise Refused(429, f"{TOLD} requests of this minute", wait)
        self._check(key, account, now, 1)
        self._count(key, account, now, 1, 0)

    def reserve(self, key: Key, tokens: int, now: float | None = None) -> None:
        """Count the tokens of a prompt, or raise Refused before any is counted: 429 where they do not fit now, 413
        where they never will."""
        now = self._now(now)
        account = self._account(key.name, now)
        if any(budget and tokens > budget for budget in (key.tokens_per_minute, key.tokens_per_day)):
            raise Refused(413, "the prompt alone has more tokens than this key may spend")
        self._check(key, account, now, tokens)
        self._count(key, account, now, 0, tokens)

    def charge(self, key: Key, tokens: int, now: float | None = None) -> None:
        """Count tokens that were written. Raises Refused (429) behind the count where that is past the budget: the
        answer ends there."""
        now = self._now(now)
        account = self._account(key.name, now)
        self._count(key, account, now, 0, tokens)
        self._check(key, account, now, 0)

    def left(self, key: Key, now: float | None = None) -> Left:
        """What a key may still spend now."""
        account = self._account(key.name, self._now(now))
        budgets = (key.requests_per_minute, key.tokens_per_minute, key.tokens_per_day)
        used = (account.requests, account.tokens, account.today)
        return Left(*(max(0, most - have) if most else None for most, have in zip(budgets, used, strict=True)))

    def _check(self, key: Key, account: _Account, now: float, more: int) -> None:
        """Raise Refused where so many more tokens are too many."""
        if key.tokens_per_minute and account.tokens + more > key.tokens_per_minute:
            wait = account.wait(now, 2, key.tokens_per_minute - max(1, more))
            raise Refused(429, f"{TOLD} tokens of this minute", wait)
        if key.tokens_per_day and account.today + more > key.tokens_per_day:
            raise Refused(429, f"{TOLD} tokens of this day", max(1, math.ceil((account.day + 1) * DAY - now)))

    def _count(self, key: Key, account: _Account, now: float, requests: int, tokens: int) -> None:
        account.add(now, requests, tokens)
        if self._journal is not None:
            self._journal.spend(key.name, now, requests, tokens)

    def _account(self, name: str, now: float) -> _Account:
        account = self._accounts.setdefault(name, _Account(day=int(now // DAY)))
        account.move(now)
        return account

    def _now(self, now: float | None) -> float:
        return time.monotonic() + self._offset if now is None else now
