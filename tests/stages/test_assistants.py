"""Which run a word means, and what is refused of a run that cannot answer."""

from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.core.runs import Run
from dragoman.stages.assistants import open_assistant, pick


def finished(root: Path, verb: str, results: dict[str, object] | None = None, **settings: object) -> Run:
    """A finished run without a model."""
    return Run.begin(root, verb, settings, {}).finish(results or {})


def test_without_a_word_it_is_what_the_newest_verdict_chose(tmp_path: Path) -> None:
    lora, full = finished(tmp_path, "lora"), finished(tmp_path, "full")
    finished(tmp_path, "run", {"rung_run": lora.id})
    assert pick(tmp_path, "").id == lora.id
    assert pick(tmp_path, "run").id == lora.id
    Run.begin(tmp_path, "run", {"later": 1}, {})  # begun and killed: it chose nothing yet
    assert pick(tmp_path, "").id == lora.id
    finished(tmp_path, "run", {"rung_run": full.id}, again=1)
    assert pick(tmp_path, "").id == full.id


def test_a_rung_is_its_newest_run_on_all_rows(tmp_path: Path) -> None:
    whole = finished(tmp_path, "lora", rows=0)
    finished(tmp_path, "lora", rows=50)
    Run.begin(tmp_path, "lora", {"rows": 0, "later": 1}, {})
    assert pick(tmp_path, "lora").id == whole.id
    assert pick(tmp_path, whole.id).id == whole.id


@pytest.mark.parametrize(
    ("word", "said"), [("", "no verdict yet"), ("lora", "no lora"), ("lora-12", "no run 'lora-12'")]
)
def test_what_is_not_there_is_told_with_the_command_that_makes_it(word: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said) as told:
        pick(tmp_path, word)
    assert "dragoman run" in told.value.hint


def test_a_run_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no model"):
        pick(tmp_path, finished(tmp_path, "prepare").id)
    with pytest.raises(UserError, match="holds no finished model"):
        open_assistant(finished(tmp_path, "lora"))
