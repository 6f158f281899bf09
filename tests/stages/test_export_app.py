"""What goes into an exported app, what never does, and that it opens where its project and its base are gone."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.core.runs import Run
from dragoman.stages import export_app
from dragoman.stages.assistants import open_assistant, pick
from dragoman.stages.export_app import check_place, gather, write_app
from dragoman.stages.exported import is_exported
from tests.stages.apps import ELSEWHERE, classifier, prompted, quoter, writer


def exported(made: Run, target: Path) -> dict[str, bytes]:
    """The files of an app of this run, by name."""
    write_app(target, gather(made, "", 8000))
    return contents(target)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_model_goes_with_its_hashes_and_lineage(tmp_path: Path) -> None:
    made = classifier(tmp_path / "runs")
    files = exported(made, tmp_path / "app")
    assert is_exported(tmp_path / "app")
    assert durable.problems(tmp_path / "app") == []
    again = pick(tmp_path / "app" / "runs", made.id)
    assert again.damage() == []
    weights = f"runs/{made.id}/model/model.safetensors"
    assert files[weights] == (made.folder / "model" / "model.safetensors").read_bytes()
    assert again.record["inputs"]["parts"] == made.record["inputs"]["parts"]
    assert again.results["project"]["scope"]["name"] == "Notes of ours"
    verdict = next(name for name in files if name.startswith("runs/run-"))
    assert json.loads(files[verdict])["results"] == {"verdict": "not_met", "rung_run": made.id}
    expected = {"project": "Notes of ours", "run": made.id, "verdict": "not met"}
    assert json.loads(files["smoke.json"])["lineage"] == expected
    assert b"mem_limit: 2048m" in files["compose.yaml"]  # 900 MB were measured
    for name, content in files.items():
        assert b"/srv/someone" not in content, name
        assert ELSEWHERE.encode() not in content, name
        assert b"a sealed row" not in content, name
        assert str(tmp_path).encode() not in content, name


def test_the_same_run_makes_the_same_app(tmp_path: Path) -> None:
    made = classifier(tmp_path / "runs")
    first = exported(made, tmp_path / "app")
    assert exported(made, tmp_path / "app") == first
    assert exported(made, tmp_path / "other") == first


def test_a_base_goes_beside_and_is_found_anywhere(tmp_path: Path, tiny_model: Path) -> None:
    base = Path(shutil.copytree(tiny_model, tmp_path / "base"))
    made = prompted(tmp_path / "runs", base)
    asked = ["bake the dough with butter", "a loan of the bank"]
    before = open_assistant(made).assistant.answer(asked)
    exported(made, tmp_path / "app")
    shutil.rmtree(base)
    shutil.rmtree(tmp_path / "runs")
    moved = (tmp_path / "app").rename(tmp_path / "moved")
    opened = open_assistant(pick(moved / "runs", made.id))
    assert opened.card["base"] == str(moved / "runs" / made.id / "base")
    assert [turn.answer for turn in opened.assistant.answer(asked)] == [turn.answer for turn in before]


def test_a_base_that_changed_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    base = Path(shutil.copytree(tiny_model, tmp_path / "base"))
    made = prompted(tmp_path / "runs", base)
    (base / "note.txt").write_text("new")
    with pytest.raises(UserError, match="not the model this run was made with"):
        gather(made, "", 8000)


def test_what_writes_can_be_served_by_vllm(tmp_path: Path) -> None:
    gathered = gather(writer(tmp_path / "runs"), "My Bot!", 8000)
    assert gathered.app.vllm
    assert gathered.app.name == "my-bot"
    assert gathered.app.smoke["path"] == "/v1/chat/completions"
    assert not gather(classifier(tmp_path / "runs", judged=False), "42", 8000).app.vllm


def test_documents_go_with_what_quotes_them(tmp_path: Path) -> None:
    made = quoter(tmp_path / "runs")
    asked = ["How long does the dough rest?"]
    [before] = open_assistant(made).assistant.answer(asked)
    exported(made, tmp_path / "app")
    shutil.rmtree(tmp_path / "runs")
    shutil.rmtree(tmp_path / "notes")
    opened = open_assistant(pick(tmp_path / "app" / "runs", made.id))
    [after] = opened.assistant.answer(asked)
    assert "two hours" in after.answer.text
    assert after.answer == before.answer
    assert opened.card["documents"]["source"] == "notes"
    app = (tmp_path / "app" / "Dockerfile").read_text()
    assert '"dragoman[serve,rag]==' in app
    assert json.loads((tmp_path / "app" / "smoke.json").read_text())["path"] == "/v1/ask"


def test_a_secret_stays_here(tmp_path: Path, tiny_model: Path) -> None:
    never = "AKIA" + "ABCDEFGHIJKLMNOP"
    made = prompted(tmp_path / "runs", tiny_model, descriptions=["butter", f"the key {never}"])
    with pytest.raises(UserError, match="what looks like a secret") as told:
        exported(made, tmp_path / "app")
    assert never not in f"{told.value.problem} {told.value.hint}"
    assert list(tmp_path.glob("*app*")) == list(tmp_path.glob(".app*")) == []


def test_a_secret_in_a_document_stays_here(tmp_path: Path) -> None:
    never = "AKIA" + "ABCDEFGHIJKLMNOP"
    made = quoter(tmp_path / "runs", f"The key of the bakery is {never}, and it opens the door.")
    with pytest.raises(UserError, match=r"bread\.md holds what looks like a secret") as told:
        exported(made, tmp_path / "app")
    assert never not in f"{told.value.problem} {told.value.hint}" and not (tmp_path / "app").exists()


def test_a_damaged_model_does_not_go(tmp_path: Path) -> None:
    made = classifier(tmp_path / "runs", judged=False)
    (made.folder / "model" / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"config\.json"):
        gather(made, "", 8000)


@pytest.mark.parametrize("name", ["thesis.txt", "runs"])
def test_a_folder_of_somebody_else_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / name).write_text("mine")
    with pytest.raises(UserError, match="other files already"):
        check_place(tmp_path / "app", "")
    assert (tmp_path / "app" / name).read_text() == "mine"


def test_an_app_that_was_changed_stays(tmp_path: Path) -> None:
    made = classifier(tmp_path / "runs", judged=False)
    exported(made, tmp_path / "app")
    (tmp_path / "app" / "serve.toml").write_text("queue = 3\n")
    with pytest.raises(UserError, match="changed since it was exported"):
        exported(made, tmp_path / "app")
    assert (tmp_path / "app" / "serve.toml").read_text() == "queue = 3\n"


def test_a_kill_half_way_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child dies with everything copied and nothing published; the next export clears what it left."""
    made = classifier(tmp_path / "runs", judged=False)
    gathered = gather(made, "", 8000)

    def dies(*given: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        monkeypatch.setattr(export_app, "write_files", dies)
        write_app(tmp_path / "app", gathered)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not (tmp_path / "app").exists()
    write_app(tmp_path / "app", gathered)
    assert durable.problems(tmp_path / "app") == []
    assert [path.name for path in tmp_path.iterdir() if "app" in path.name] == ["app"]
