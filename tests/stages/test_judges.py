"""The rewards of a project: found from its own folder, and known by what they hold, not by where they lie."""

from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.core.project import overlay
from dragoman.core.runs import Run
from dragoman.core.types import Example, Message
from dragoman.stages.judges import Judges, check_named, doubt, identity, open_named

RULE = "def reward(prompt, answer):\n    return float(len(answer))\n"


def test_a_file_is_found_from_the_project_and_known_by_its_text(tmp_path: Path) -> None:
    (tmp_path / "rule.py").write_text(RULE)
    project = overlay({"root": str(tmp_path)}, ())
    assert open_named(project, "python:rule.py").rate([(Message("user", "q"),)], ["four"]).tolist() == [4.0]
    first = identity(project, "python:rule.py")
    (tmp_path / "same.py").write_text(RULE)
    assert identity(project, "python:same.py") == first
    (tmp_path / "rule.py").write_text(RULE.replace("len", "2 * len"))
    assert identity(project, "python:rule.py") != first


def test_a_rule_in_words_is_its_own_identity(tmp_path: Path) -> None:
    project = overlay({"root": str(tmp_path)}, ())
    assert identity(project, "regex:^a.*b$") == "regex:^a.*b$"


def test_a_model_is_known_by_its_files_and_a_label_beside_them(tmp_path: Path, tiny_model: Path) -> None:
    project = overlay({"root": str(tmp_path)}, ())
    whole = identity(project, str(tiny_model))
    assert identity(project, f"label:{tiny_model}#kind") == f"label:{whole}#kind"


@pytest.mark.parametrize("spec", ["python:none.py", "nowhere", "label:nowhere#x", "label:nowhere"])
def test_what_is_not_there_is_one_message(tmp_path: Path, spec: str) -> None:
    with pytest.raises(UserError) as caught:
        identity(overlay({"root": str(tmp_path)}, ()), spec)
    assert caught.value.hint


def test_answers_are_scored_beside_the_rows_own(tmp_path: Path) -> None:
    examples = [Example((Message("user", "q"),), ("eee",)), Example((Message("user", "q"),), ("none",))]
    judges = Judges(overlay({"root": str(tmp_path)}, ()), {"ees": "count:e", "end": "regex:e$"})
    assert judges.rate(examples, ["e", "see"]) == {"ees": [[1.0, 3.0], [2.0, 1.0]], "end": [[1.0, 1.0], [1.0, 1.0]]}


def test_a_reward_no_better_than_a_rule_is_doubted(tmp_path: Path) -> None:
    project = overlay({"root": str(tmp_path)}, ())
    right = {"value": 0.6, "low": 0.55, "high": 0.65, "n": 300}
    for name, rule, doubted in (("sure", 0.5, False), ("none", 0.58, True)):
        run = Run.begin(project.runs_folder, "reward", {"name": name}, {})
        (run.folder / "model").mkdir()
        (run.folder / "model" / "config.json").write_text("{}")
        run.finish({"scorer": {"accuracy": right, "baselines": {"longer": {"accuracy": {**right, "value": rule}}}}})
        alarm = doubt(project, run.id)
        assert (alarm is not None) == doubted
        assert alarm is None or (alarm.name == "reward-model-untrusted" and "'longer' on 58.0%" in alarm.said)
    assert doubt(project, "count:e") is None and doubt(project, str(tmp_path)) is None


@pytest.mark.parametrize("spec", ["regex:(", "length:long", "count:", "python:none.py", "nowhere"])
def test_a_reward_is_looked_at_before_any_work(tmp_path: Path, spec: str) -> None:
    project = overlay({"root": str(tmp_path)}, ())
    check_named(project, "regex:^a")
    with pytest.raises(UserError):
        check_named(project, spec)
