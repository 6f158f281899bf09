"""Every request to a model is written down, those that fail too, once and with how they ended."""

from pathlib import Path

import httpx

from dragoman.serve.journal import Journal, Policy
from dragoman.serve.journal_read import read
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
