"""The project file is checked whole before any work, and each of its settings says what it is for."""

import os
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from dragoman.core.config import build, describe, dump
from dragoman.core.errors import UserError
from dragoman.core.project import Project, load, locate, overlay

FILE = """
[scope]
name = "stdlib-area"
task = "classify"
labels = { text = "Strings and codecs", data_types = "" }
target = { macro_f1 = ">= 0.60" }
limits = { p95_ms = "<= 50", forgetting = "<= 5 %" }
budget = { memory = "4 GiB", time = "10 min" }
[data]
source = "rows.csv"
columns = { text = "question", label = "area" }
[models]
candidates = ["builtin:minilm", "small"]
[ladder]
rungs = ["zero_shot", "head"]
[train]
batch = 16
"""


def sections(kind: type[Any] = Project, where: str = "") -> list[tuple[str, type[Any]]]:
    """Every dataclass of the project, with its place."""
    found = [(where or "project", kind)]
    for name, hint in get_type_hints(kind).items():
        if is_dataclass(hint):
            found += sections(hint, f"{where}.{name}".lstrip("."))  # type: ignore[arg-type]
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "dragoman.toml"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(("where", "kind"), sections(), ids=[where for where, _ in sections()])
def test_every_setting_has_a_help_sentence_and_a_default(where: str, kind: type[Any]) -> None:
    told = describe(kind)
    assert [setting.name for setting in told] == [one.name for one in fields(kind)]
    for setting in told:
        assert setting.help.endswith("."), f"{where}.{setting.name} has no help"
    kind()


def test_a_whole_file(file: Path) -> None:
    project = load(file)
    assert project.scope.labels == {"text": "Strings and codecs", "data_types": "data types"}
    assert [one.metric for one in project.scope.criteria()] == ["macro_f1", "p95_ms", "forgetting"]
    assert project.scope.budget.bytes() == 4 * 2**30
    assert project.scope.budget.seconds() == 600
    assert project.data.columns.label == "area"
    assert project.models.candidates == ("builtin:minilm", "small")
    assert project.train == {"batch": 16}
    assert project.runs_folder == file.parent / "runs"


def test_what_is_dumped_builds_the_same_project_again(file: Path) -> None:
    project = load(file, ["data.seed=3", "data.split=[0.8,0.1,0.1]"])
    assert build(Project, dump(project)) == project
    assert dump(build(Project, dump(project))) == dump(project)


def test_words_are_laid_over_the_file(file: Path) -> None:
    project = load(
        file, ["data.seed=7", "scope.target.macro_f1=>= 0.9", "ladder.all=true", "scope.name=2", "train.batch=8"]
    )
    assert project.data.seed == 7
    assert project.scope.target == {"macro_f1": ">= 0.9"}
    assert project.ladder.all
    assert project.ladder.rungs == ("zero_shot", "head"), "the rest of the section stays"
    assert project.scope.name == "2"
    assert project.train == {"batch": 8}


@pytest.mark.parametrize(
    ("words", "problem", "hint"),
    [
        (["scpoe.name=x"], "there is no setting named 'scpoe.name'", "did you mean 'scope'?"),
        (["root=x"], "there is no setting named 'root'", "known"),
        (["data.columns.txt=x"], "there is no setting named 'data.columns.txt'", "did you mean 'text'?"),
        (["scope.task=poetry"], "scope.task cannot be 'poetry'", "classify"),
        (["scope.target.macro_f1=0.8"], "scope.target.macro_f1 cannot be 0.8", "string"),
        (["scope.target.macro_f1=high"], 'scope.target.macro_f1 cannot be "high"', ">= 0.80"),
        (["scope.limits.p95_ms=fast"], 'scope.limits.p95_ms cannot be "fast"', "p95_ms"),
        (["scope.target={}"], "scope.target is empty", "scope.target.macro_f1"),
        (["scope.budget.memory=8"], 'scope.budget.memory cannot be "8"', "8 GiB"),
        (["scope.budget=lots"], 'scope.budget.memory cannot be "lots"', "8 GiB"),
        (["scope.budget.time=soon"], 'scope.budget.time cannot be "soon"', "15 min"),
        (["data.max_line=long"], 'data.max_line cannot be "long"', "8 GiB"),
        (["data.split=[0.5,0.5,0.5]"], "data.split cannot be [0.5, 0.5, 0.5]", "sum to 1"),
        (["data.split=[1.1,-0.2,0.1]"], "data.split cannot be", "above 0"),
        (["data.split=[1,0,0]"], "data.split cannot be", "above 0"),
        (["data.split=[nan,0.5,0.5]"], "data.split cannot be", "above 0"),
        (["models.candidates=[]"], "models.candidates is empty", "builtin:minilm"),
    ],
)
def test_mistakes(file: Path, words: list[str], problem: str, hint: str) -> None:
    with pytest.raises(UserError) as told:
        load(file, words)
    assert problem in told.value.problem
    assert hint in told.value.hint


@pytest.mark.parametrize("text", ["", "[data]\nseed = 1", "[scope]\nname = 'x'"])
def test_a_file_that_does_not_say_where_the_data_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(UserError, match="does not say where the data is"):
        load(tmp_path / "p.toml")
    for word in ("data=rows.csv", "data.source=rows.csv"):
        assert load(tmp_path / "p.toml", [word]).data.source.endswith("rows.csv")


@pytest.mark.parametrize("name", ["rows.csv", "my_source.csv"])
def test_the_data_may_be_one_bare_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "p.toml").write_text(f'data = "{name}"')
    assert load(tmp_path / "p.toml").data.source == name


def test_the_data_may_not_be_a_number(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text("data = [3]")
    with pytest.raises(UserError, match=r"data\.source cannot be \[3\]"):
        load(tmp_path / "p.toml")


def test_paths_of_the_file_start_at_the_file_and_paths_of_words_where_one_stands(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    project = load(Path(os.path.relpath(file)))
    assert Path(project.place(project.data.source)).resolve() == tmp_path / "rows.csv"
    given = load(Path(os.path.relpath(file)), ["data=mine.csv", "runs=there"])
    assert Path(given.place(given.data.source)).absolute() == tmp_path / "elsewhere" / "mine.csv"
    assert given.runs_folder == tmp_path / "elsewhere" / "there"


@pytest.mark.parametrize("spec", ["", "-", "builtin:stdlib", "hf:owner/name"])
def test_what_is_no_path_stays_as_it_is(file: Path, spec: str) -> None:
    project = load(file, [f"data.source={spec}"])
    assert project.data.source == spec
    assert project.place(spec) == spec


def test_a_project_file_is_found(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate(str(file)) == file
    assert locate(str(tmp_path)) == file
    monkeypatch.chdir(tmp_path)
    assert locate("").resolve() == file
    with pytest.raises(UserError, match=r"there is no project file .*nowhere") as told:
        locate(str(tmp_path / "nowhere"))
    assert "dragoman.toml" in told.value.hint
    file.unlink()
    with pytest.raises(UserError) as told:
        locate("")
    assert told.value.hint == "make one with: dragoman new"


def test_a_project_needs_no_file() -> None:
    assert overlay({}, ["data=builtin:stdlib"]).data.source == "builtin:stdlib"
    assert overlay({"project": {"written": "by new"}}, []) == overlay({}, [])
