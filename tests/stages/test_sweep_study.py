"""The study of a sweep: who does what, what a kill leaves, and that no trial is done twice or lost."""

import math
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.stages.sweep_space import read_space
from dragoman.stages.sweep_study import Asked, Book, Method, open_book
from tests.stages.books import book, finish, swept


def told(one: Book) -> list[tuple[object, ...]]:
    """Everything that is known of every trial but the time it took."""
    return [(row.number, row.state, row.settings, row.values, row.step) for row in one.rows()]


class Killed(Exception):
    """What stands for a process that is gone."""


def lose(one: Book, notes: int = 0) -> Asked:
    """Begin a piece of work, note some units, and vanish."""
    lost: list[Asked] = []
    with pytest.raises(Killed), one.next() as asked:
        assert asked is not None
        lost.append(asked)
        for unit in range(1, notes + 1):
            one.note(asked, unit, 3.0 - unit / 10)
        raise Killed
    return lost[0]


def test_every_trial_reaches_the_first_rung_and_the_best_go_on(tmp_path: Path) -> None:
    one = book(tmp_path)
    swept(one)
    rows = one.rows()
    assert len(rows) == 16
    assert all(row.values.keys() >= {1} for row in rows)
    assert {row.share for row in rows} <= {1 / 9, 3 / 9, 1.0}
    first = sorted(rows, key=lambda row: row.values[1])
    assert all(row.share > 1 / 9 for row in first[: 16 // 3])
    assert one.best().state == "complete"
    assert one.best().value == min(row.value for row in rows if row.share == 1.0)


@pytest.mark.parametrize("method", ["tpe", "random"])
def test_without_asha_all_go_to_the_end(tmp_path: Path, method: str) -> None:
    one = book(tmp_path, method, trials=6)  # type: ignore[arg-type]
    assert len(swept(one)) == 6
    assert [row.state for row in one.rows()] == ["complete"] * 6


def test_a_grid_tries_every_point_in_order(tmp_path: Path) -> None:
    one = book(tmp_path, "grid", trials=4)
    swept(one)
    assert [row.settings["train.rate"] for row in one.rows()] == [1e-4, 1e-3, 1e-2, 1e-1]


@pytest.mark.parametrize("trials", [1, 2, 4])
def test_of_few_trials_one_comes_to_its_end(tmp_path: Path, trials: int) -> None:
    one = book(tmp_path, trials=trials)
    swept(one)
    assert sum(row.state == "complete" for row in one.rows()) >= 1
    assert len(one.rows()) == trials


@pytest.mark.parametrize("notes", [0, 1])
def test_a_killed_sweep_ends_as_one_that_was_not(tmp_path: Path, notes: int) -> None:
    whole = book(tmp_path / "whole", trials=7)
    swept(whole)
    one = book(tmp_path / "killed", trials=7)
    for works in (0, 2, 5):
        swept(one, works)
        with one.next() as asked:
            assert asked is not None
            if notes:
                one.note(asked, 1, one_value(asked))
        again = lose(one)  # the lock is free, the trial still running: it is given out again
        assert (again.number, again.settings) == (asked.number, asked.settings)
    swept(one)
    assert told(one) == told(whole)


def one_value(asked: Asked) -> float:
    from tests.stages.books import validation

    return validation(float(asked.settings["train.rate"]), 1 / 9)


def test_two_processes_never_have_the_same_trial(tmp_path: Path) -> None:
    one = book(tmp_path, trials=3)
    other = book(tmp_path, trials=3, study=one.study)
    with one.next() as first, other.next() as second:
        assert first is not None
        assert second is not None
        assert first.number != second.number
        assert one.others == 2
        finish(one, first)
        finish(other, second)
    swept(other)
    assert one.others == 0
    assert len(one.rows()) == 3


def test_what_another_machine_does_is_its_own(tmp_path: Path) -> None:
    here, there = book(tmp_path / "here", trials=3), None
    there = book(tmp_path / "there", trials=3, study=here.study)
    lost = lose(there)
    swept(here)
    assert here.others == 1  # nobody here can know whether that machine is still at work
    assert next(row.state for row in here.rows() if row.number == lost.number) == "running"
    swept(there)
    assert here.others == 0
    assert here.best().state == "complete"


def test_in_the_own_file_of_a_run_a_machine_may_change_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = book(tmp_path / "whole", trials=6)
    swept(whole)

    def opened(host: str) -> Book:
        monkeypatch.setattr("socket.gethostname", lambda: host)
        return open_book("name", "", whole.space, whole.rules, tmp_path)

    lost = lose(opened("one"), 1)
    with opened("two").next() as asked, opened("three").next() as other:
        assert asked is not None
        assert other is not None
        assert asked.number == lost.number
        assert other.number != lost.number  # whose lock another process has is not left, whatever that one is called
    for host in "abc":  # each begins where the one before it ended
        swept(opened(host), 2)
    last = opened("last")
    swept(last)
    assert last.others == 0
    assert [row.settings for row in last.rows()] == [row.settings for row in whole.rows()]


@pytest.mark.parametrize("method", ["grid", "asha"])
def test_a_kill_before_a_trial_was_written_down_loses_no_number(tmp_path: Path, method: Method) -> None:
    whole, one = book(tmp_path / "whole", method, trials=4), book(tmp_path / "killed", method, trials=4)
    swept(whole)
    swept(one, 1)
    one.study.ask()  # nothing is known of it but its number
    swept(one)
    assert told(one) == told(whole)
    assert one.others == 0


@pytest.mark.parametrize("method", ["grid", "asha"])
def test_a_kill_before_the_settings_are_drawn_loses_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: Method
) -> None:
    whole, one = book(tmp_path / "whole", method, trials=4), book(tmp_path / "killed", method, trials=4)
    swept(whole)

    def gone(*_: object) -> None:
        raise Killed

    for works in (0, 1, 1):
        swept(one, works)
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(Book, "_suggested", gone)
            with one.next():
                pass
    swept(one)
    assert told(one) == told(whole)


def test_of_two_machines_that_begin_the_last_trial_one_gives_way(tmp_path: Path) -> None:
    here = book(tmp_path / "here", "grid", trials=2)
    there = book(tmp_path / "there", "grid", trials=2, study=here.study)
    swept(here, 1)
    for one in (here, there):  # both saw room for one more
        one._add({"rung": 1})
    assert (swept(there), swept(here)) == ([], [1])
    assert [row.settings["train.rate"] for row in here.rows()] == [1e-4, 1e-1]
    assert here.others == 0


def test_a_trial_that_failed_is_none_and_is_no_end_of_the_others(tmp_path: Path) -> None:
    one = book(tmp_path, trials=4)
    with one.next() as asked:
        assert asked is not None
        one.end(asked, None, 3, 1.0, "the loss is nan")
    swept(one)
    failed = one.rows()[0]
    assert (failed.state, failed.value, failed.why) == ("failed", None, "the loss is nan")
    assert one.best().number != failed.number


def test_where_all_failed_the_reason_is_told(tmp_path: Path) -> None:
    one = book(tmp_path, trials=2)
    for _ in range(2):
        with one.next() as asked:
            assert asked is not None
            one.end(asked, None, 3, 1.0, "the loss is nan")
    assert swept(one) == []
    with pytest.raises(UserError, match="no trial was completed: the loss is nan"):
        one.best()


def test_a_figure_that_is_said_twice_counts_once(tmp_path: Path) -> None:
    one = book(tmp_path, trials=2)
    with one.next() as asked:
        assert asked is not None
        assert one.note(asked, 1, 2.5)
        assert one.note(asked, 1, 2.5)
    assert one.rows()[0].values == {1: 2.5}
    assert not math.isnan(one.rows()[0].share)


def test_a_storage_that_cannot_be_is_said(tmp_path: Path) -> None:
    one = book(tmp_path)
    space = read_space({"train": {"rate": "1e-4..1e-1 log"}})
    with pytest.raises(UserError, match="no address of a database"):
        open_book("name", "nowhere at all", space, one.rules, tmp_path)
    with pytest.raises(UserError, match="cannot be opened"):
        open_book("name", f"sqlite:///{tmp_path}/there/is/no/such.db", space, one.rules, tmp_path)
