"""Every request to a model is written down, those that fail too, once and with how they ended."""

from pathlib import Path

import httpx

from dragoman.serve.context import Record
from dragoman.serve.journal import Journal, Policy
from dragoman.serve.journal_read import read
from dragoman.serve.served import Lineage, Served
from tests.serve.conftest import Fake, Start


def test_what_fails_is_in_the_journal(start: Start, fake: Fake, tmp_path: Path) -> None:
    running = start(fake)
    journal = Journal(tmp_path / "j.sqlite", Policy())
    journal.start()
    running.app.state.context.journal = journal
    try:
        assert running.classify("well").status_code == 200
        assert running.classify("poison").status_code == 500
        assert running.classify("").status_code == 400
        assert httpx.get(f"{running.url}/v1/models", trust_env=False).status_code == 200
        nowhere = httpx.post(f"{running.url}/v1/classify", json={"input": "a", "model": "no"}, trust_env=False)
        assert nowhere.status_code == 404  # of no model: only counted
    finally:
        running.app.state.context.journal = None
        journal.stop()
    kept = [one.entry for one in read(tmp_path / "j.sqlite")]
    assert [one.status for one in kept] == [200, 500, 400]
    assert kept[1].prompt == '["poison"]' and kept[1].answer == "" and kept[1].seconds > 0


def test_one_answer_is_kept_as_it_is_and_several_as_a_list() -> None:
    record = Record("req-1", "/v1/completions", None, Served("x", "chat", Lineage()), 0.0)
    assert record.answer == ""
    record.hear("a", 1)
    record.hear("b", 1)
    assert (record.answer, record.written) == ("ab", 2)
    record.hear("", 0, 1)
    record.before = 2
    record.hear("d\u00e9", 1)
    assert record.answer == '["ab", "", "d\u00e9"]'
