"""What the journal acknowledges is on the disk, what it may not keep is not, and a full disk stops no answer."""

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.serve import journal as journal_module
from dragoman.serve.journal import Entry, Journal, Policy, request_of
from dragoman.serve.journal_acts import Keep
from dragoman.serve.journal_read import read, spent
from dragoman.serve.meters import Meters
from dragoman.serve.refused import Refused


def entry(name: str = "req-1", *, key: str = "alice", prompt: str = "why?", answer: str = "so", at: float = 0) -> Entry:
    """A request and its answer."""
    messages = json.dumps([{"role": "user", "content": prompt}], ensure_ascii=False)
    lineage = '{"run":"tune-1"}'
    return Entry(
        name, at or time.time(), key, "/v1/chat/completions", "m", lineage, 200, messages, answer, False, 3, 1, 0.1, 0.2
    )


@asynccontextmanager
async def going(tmp_path: Path, policy: Policy | None = None) -> AsyncIterator[Journal]:
    """A journal that writes."""
    journal = Journal(tmp_path / "journal.db", policy or Policy())
    journal.start()
    try:
        yield journal
    finally:
        await asyncio.to_thread(journal.stop)


def fill(journal: Journal) -> None:
    """Let the disk be full, as far as SQLite knows."""
    assert journal._connection is not None
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")


@dataclass(frozen=True)
class Found:
    """A place in a text."""

    start: int
    end: int
    kind: str = "e-mail"


def mail(text: str) -> Sequence[Found]:
    """Words with an @ in them."""
    places, at = [], 0
    for word in text.split(" "):
        places += [Found(at, at + len(word))] if "@" in word else []
        at += len(word) + 1
    return places


def test_what_is_kept_is_on_the_disk_when_it_is_said(tmp_path: Path) -> None:
    async def go() -> None:
        async with going(tmp_path) as journal:
            given = [entry(f"req-{number}", prompt="\ud800" if number == 7 else "ü") for number in range(200)]
            await asyncio.gather(*(journal.keep(one) for one in given))
            kept = read(journal.path)
            assert [one.entry for one in kept if one.entry.id != "req-7"] == [*given[:7], *given[8:]]
            assert all(one.texts for one in kept) and "?" in kept[7].entry.prompt

    asyncio.run(go())


def test_many_requests_share_a_transaction(tmp_path: Path) -> None:
    async def go() -> None:
        async with going(tmp_path) as journal:
            assert journal._connection is not None
            said: list[str] = []
            journal._connection.set_trace_callback(said.append)
            await asyncio.gather(*(journal.keep(entry(f"req-{number}")) for number in range(300)))
            assert said.count("COMMIT") <= 4 and said.count("BEGIN IMMEDIATE") <= 4

    asyncio.run(go())


def test_feedback_is_taken_from_whom_the_answer_was_for(tmp_path: Path) -> None:
    async def go() -> None:
        async with going(tmp_path) as journal:
            await journal.keep(entry("req-ab"))
            assert not await journal.note("chatcmpl-ab", "ben", 1, "", "")
            assert not await journal.note("chatcmpl-xy", "alice", 1, "", "")
            assert await journal.note("chatcmpl-ab", "alice", -1, "better", "hm")
            (one,) = read(journal.path)
            assert (one.thumb, one.correction, one.comment) == (-1, "better", "hm") and one.noted > 0
            assert await journal.note("cmpl-ab", "alice", None, "", "")
            (one,) = read(journal.path)
            assert (one.thumb, one.correction, one.comment) == (None, "", "")
        assert request_of("ask-ab") == request_of("req-ab") == "req-ab"

    asyncio.run(go())


def test_a_share_of_the_texts_and_those_that_got_feedback(tmp_path: Path) -> None:
    policy = Policy(share=0.3)

    async def go() -> None:
        async with going(tmp_path, policy) as journal:
            ids = [f"req-{number}" for number in range(100)]
            for one in ids:
                await journal.keep(entry(one))
            left_out = [one for one in ids if not policy.samples(one)]
            assert 55 <= len(left_out) <= 85
            assert not await journal.note(left_out[0], "ben", 1, "", "")
            assert await journal.note(left_out[0], "alice", -1, "better", "")
            assert await journal.note(left_out[1], "alice", None, "", "")
            kept = {one.entry.id: one for one in read(journal.path)}
            assert len(kept) == 100 and all(one.entry.read == 3 for one in kept.values())
            texts = {name for name, one in kept.items() if one.texts}
            assert texts == {*ids} - {*left_out} | {left_out[0]}
            assert kept[left_out[0]].entry.answer == "so" and kept[left_out[1]].entry.answer == ""

    asyncio.run(go())


def test_texts_held_for_feedback_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "REMEMBERED", 3)

    async def go() -> None:
        async with going(tmp_path, Policy(share=0)) as journal:
            for number in range(5):
                await journal.keep(entry(f"req-{number}"))
            assert list(journal._unsampled) == ["req-2", "req-3", "req-4"]
            await journal.keep(entry("req-long", prompt="x" * (4 << 20)))
            assert not journal._unsampled and journal._characters == 0

    asyncio.run(go())


def test_figures_alone_and_nothing_at_all(tmp_path: Path) -> None:
    async def go() -> None:
        async with going(tmp_path, Policy(texts=False)) as journal:
            await journal.keep(entry(prompt="a secret", answer="a secret"))
            (one,) = read(journal.path)
            assert one.entry == replace(one.entry, prompt="", answer="") and not one.texts
        async with going(tmp_path, Policy(on=False)) as journal:
            await journal.keep(entry("req-2"))
            assert not await journal.note("req-1", "alice", 1, "", "")
            journal.spend("alice", time.time(), 1, 7)
        assert len(read(journal.path)) == 1 and b"a secret" not in journal.path.read_bytes()
        assert spent(journal.path, "alice", time.time() - 60) == (1, 7)

    asyncio.run(go())


def test_what_is_personal_is_written_as_a_name_for_it(tmp_path: Path) -> None:
    async def go() -> None:
        async with going(tmp_path, Policy(mask=mail)) as journal:
            await journal.keep(entry(prompt='tell\n a@b.org or c@d.org "now"', answer="told a@b.org and 8.8.8.8"))
            assert await journal.note("req-1", "alice", -1, "tell e@f.org instead", "by g@h.org ")
            (one,) = read(journal.path)
            asked = json.loads(one.entry.prompt)
            assert asked == [{"role": "user", "content": 'tell\n [e-mail 1] or [e-mail 2] "now"'}]
            assert one.entry.answer == "told [e-mail 1] and [ip-address 1]"
            assert one.correction == "tell [e-mail 3] instead" and "@" not in one.comment
        assert b".org" not in journal.path.read_bytes()

    asyncio.run(go())


def test_a_request_that_cannot_be_masked_is_not_written_and_spoils_no_other(tmp_path: Path) -> None:
    def fails(text: str) -> Sequence[Found]:
        if "poison" in text:
            raise ValueError(text)
        return []

    async def go() -> None:
        async with going(tmp_path, Policy(mask=fails)) as journal:
            journal.spend("alice", time.time(), 1, 2)
            await asyncio.gather(
                *(journal.keep(entry(f"req-{n}", prompt="poison" if n == 0 else "")) for n in range(9))
            )
            assert [one.entry.id for one in read(journal.path)] == [f"req-{n}" for n in range(1, 9)]
            assert journal.lost == 1
        assert spent(journal.path, "alice", time.time() - 60) == (1, 2)

    asyncio.run(go())


def test_conversations_belong_to_their_key(tmp_path: Path) -> None:
    async def go() -> None:
        async with going(tmp_path, Policy(conversations=2)) as journal:
            await journal.put_conversation("alice", "aaaaaaaa", "one", "[1]", "m")
            await journal.put_conversation("alice", "bbbbbbbb", "two", "[2]")
            made = await journal.put_conversation("alice", "aaaaaaaa", "one more", "[1, 2]", "m")
            with pytest.raises(Refused) as refused:
                await journal.put_conversation("alice", "cccccccc", "three", "[3]")
            assert refused.value.status == 413
            await journal.put_conversation("ben", "aaaaaaaa", "his", "[]")
            assert await journal.conversation("alice", "aaaaaaaa") == made
            listed = await journal.conversations("alice")
            assert [one.title for one in listed] == ["one more", "two"] and not any(one.messages for one in listed)
            assert not await journal.drop_conversation("ben", "bbbbbbbb")
            assert await journal.drop_conversation("alice", "bbbbbbbb")
            assert await journal.conversation("alice", "bbbbbbbb") is None
            for wrong in ("short", "a" * 65, "../../etc/x", "a" * 8 + "\n"):
                with pytest.raises(Refused, match="the id of a conversation"):
                    await journal.put_conversation("alice", wrong, "", "[]")
        async with going(tmp_path, Policy(history=False)) as journal:
            with pytest.raises(Refused, match="keeps no conversations"):
                await journal.conversations("alice")

    asyncio.run(go())


def test_a_deleted_conversation_is_gone_from_the_file(tmp_path: Path) -> None:
    async def go() -> None:
        async with going(tmp_path) as journal:
            await journal.put_conversation("alice", "aaaaaaaa", "t", json.dumps("a secret " * 3000))
            await journal.drop_conversation("alice", "aaaaaaaa")
        assert not any(b"secret" in path.read_bytes() for path in tmp_path.iterdir())

    asyncio.run(go())


@pytest.mark.parametrize("strict", [False, True])
def test_a_full_disk(tmp_path: Path, strict: bool, capsys: pytest.CaptureFixture[str]) -> None:
    async def go() -> None:
        async with going(tmp_path, Policy(strict=strict)) as journal:
            meters = Meters("run")
            journal.show_in(meters)
            await journal.keep(entry("req-before"))
            fill(journal)
            journal.spend("alice", time.time(), 1, 5)
            big = entry("req-big", prompt="x" * 100_000)
            if strict:
                with pytest.raises(Refused) as refused:
                    await journal.keep(big)
                assert refused.value.status == 503
            else:
                await journal.keep(big)
            assert journal.lost == 1 and b"dragoman_journal_lost_requests 1.0" in meters.page()
            with pytest.raises(Refused):
                await journal.put_conversation("alice", "aaaaaaaa", "", json.dumps("x" * 100_000))
            assert journal._connection is not None
            journal._connection.execute("PRAGMA max_page_count = 1000000")  # somebody has freed some space
            await journal.keep(entry("req-after"))
            assert [one.entry.id for one in read(journal.path)] == ["req-before", "req-after"]
        assert spent(journal.path, "alice", time.time() - 60) == (1, 5)

    asyncio.run(go())
    said = capsys.readouterr().err
    assert said.count("cannot be written (SQLITE_FULL)") == 1 and "xxx" not in said


def test_another_process_that_holds_the_file_holds_no_answer_up(tmp_path: Path) -> None:
    async def go() -> None:
        async with going(tmp_path, Policy(wait_seconds=0.05)) as journal:
            with sqlite3.connect(journal.path, isolation_level=None) as other:
                other.execute("BEGIN IMMEDIATE")
                await journal.keep(entry())
                with pytest.raises(Refused, match="too slow"):
                    await journal.note("req-1", "alice", 1, "", "")
                other.execute("ROLLBACK")
            other.close()
        assert [one.thumb for one in read(journal.path)] == [1]  # both were only late

    asyncio.run(go())


def test_what_is_too_old_or_too_much_goes_with_its_feedback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "SWEPT", 4)
    now = time.time()

    async def go() -> None:
        async with going(tmp_path) as journal:
            for number in range(30):
                await journal.keep(entry(f"req-{number}", at=now - 86_400 * (30 - number) - 60))
            await asyncio.gather(*(journal.note(f"req-{number}", "alice", 1, "", "") for number in range(30)))
            journal.spend("alice", now - 7200, 1, 2)
        async with going(tmp_path, Policy(days=20, rows=7)) as journal:
            until = time.monotonic() + 10
            while len(read(journal.path)) > 7 and time.monotonic() < until:
                await asyncio.sleep(0.02)
        assert [one.entry.id for one in read(journal.path)] == [f"req-{number}" for number in range(23, 30)]
        with sqlite3.connect(journal.path) as connection:
            assert connection.execute("SELECT count(*) FROM feedback").fetchone() == (7,)
            assert connection.execute("SELECT grain FROM spent").fetchall() == [(86_400,)]
        connection.close()

    asyncio.run(go())


def test_behind_its_end_nothing_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        async with going(tmp_path, Policy(strict=True)) as journal:
            monkeypatch.setattr(journal_module, "WAITING", 0)
            with pytest.raises(Refused):
                await journal.keep(entry())
            assert journal.lost == 1
            monkeypatch.undo()
            late = asyncio.create_task(journal.keep(entry("req-last")))
            await asyncio.sleep(0)
        await late
        with pytest.raises(Refused):
            await journal.keep(entry("req-late"))
        assert [one.entry.id for one in read(journal.path)] == ["req-last"]

    asyncio.run(go())


def test_a_policy_that_cannot_be(tmp_path: Path) -> None:
    for wrong in ({"share": 1.5}, {"days": 0.0}, {"rows": 0}):
        with pytest.raises(UserError):
            replace(Policy(), **wrong)
    ids = [f"req-{number}" for number in range(2000)]
    assert abs(sum(Policy(share=0.25).samples(one) for one in ids) / 2000 - 0.25) < 0.04
    assert all(Policy().samples(one) for one in ids) and not any(Policy(share=0).samples(one) for one in ids)
    assert Keep(entry(), True).texts
