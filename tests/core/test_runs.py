"""Work is found again, gone on with when killed, set aside when damaged; a run is found by what one says."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from dragoman.core import durable, runs
from dragoman.core.errors import UserError
from dragoman.core.runs import Run, all_runs, environment, find


@dataclass(frozen=True)
class How:
    """Settings of a verb."""

    rate: float = 0.1
    rungs: tuple[str, ...] = ("head",)


def finished(root: Path, verb: str = "train", rate: float = 0.1) -> Run:
    """A finished run that published a model."""
    run = Run.begin(root, verb, How(rate), {"data": "rows"})
    durable.publish(run.folder / "model", lambda stage: (stage / "weights").write_text("w") and None)
    return run.finish({"loss": 0.5}, published=["model"])


def test_new_work_leaves_a_record_of_all_that_was_in_force(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b")
    run = Run.begin(tmp_path / "runs", "train", How(), {"data": tmp_path / "rows.csv", "model": "builtin:minilm"})
    record = json.loads((run.folder / "run.json").read_text())
    assert record["id"] == run.id == run.folder.name
    assert run.id.startswith("train-")
    assert record["settings"] == {"rate": 0.1, "rungs": ["head"]}
    assert record["inputs"]["data"] == {
        "path": str(tmp_path / "rows.csv"),
        "sha256": durable.digest(tmp_path / "rows.csv"),
    }
    assert record["inputs"]["model"]["path"] == "builtin:minilm"
    assert record["environment"]["cores"] >= 1
    assert (run.finished, run.results, run.verb) == (False, {}, "train")


def test_finished_work_is_found_again(tmp_path: Path) -> None:
    done = finished(tmp_path)
    again = Run.begin(tmp_path, "train", How(), {"data": "rows"})
    assert again.finished
    assert again.folder == done.folder
    assert again.results == {"loss": 0.5}
    assert again.record["seconds"] is not None


def test_killed_work_is_gone_on_with(tmp_path: Path) -> None:
    run = Run.begin(tmp_path, "train", How(), {"data": "rows"})
    (run.folder / "checkpoint").write_text("step 30")
    again = Run.begin(tmp_path, "train", How(), {"data": "rows"})
    assert not again.finished
    assert again.folder == run.folder
    assert again.record["started"] == run.record["started"]
    assert (again.folder / "checkpoint").read_text() == "step 30"
    assert len(all_runs(tmp_path)) == 1


def test_work_killed_before_its_record_was_written_is_begun(tmp_path: Path) -> None:
    run = Run.begin(tmp_path, "train", How(), {})
    (run.folder / "run.json").unlink()
    assert Run.begin(tmp_path, "train", How(), {}).id == run.id


@pytest.mark.parametrize("fault", ["changed", "missing file", "missing folder", "stray"])
def test_damaged_finished_work_is_set_aside_and_begun_again(tmp_path: Path, fault: str) -> None:
    done = finished(tmp_path)
    model = done.folder / "model"
    if fault == "changed":
        (model / "weights").write_text("x")
    elif fault == "missing file":
        (model / "weights").unlink()
    elif fault == "missing folder":
        model.rename(tmp_path / "elsewhere")
    else:
        (model / "stray").write_text("")
    assert done.damage()
    again = Run.begin(tmp_path, "train", How(), {"data": "rows"})
    assert not again.finished
    assert again.folder == done.folder
    aside = tmp_path / f"{done.id}.damaged-1"
    assert Run.open(aside).finished
    assert [run.folder for run in all_runs(tmp_path)] == [done.folder], "what is set aside is not listed"
    assert finished(tmp_path).damage() == []


def test_any_difference_makes_another_run(tmp_path: Path) -> None:
    rows, folder = tmp_path / "rows", tmp_path / "model"
    rows.write_text("a")
    folder.mkdir()
    (folder / "weights").write_text("w")
    first = finished(tmp_path / "other")

    def name(verb: str = "train", how: How | None = None, words: str = "builtin:x", source: Run | None = None) -> str:
        inputs = {"data": rows, "model": folder, "words": words, "run": source or first}
        return Run.begin(tmp_path / "runs", verb, how or How(), inputs).id

    seen = [name(), name("evaluate"), name(how=How(0.2)), name(how=How(rungs=("lora",))), name(words="builtin:y")]
    rows.write_text("b")
    seen.append(name())
    (folder / "weights").write_text("v")
    seen.append(name())
    seen.append(name(source=finished(tmp_path / "other", rate=0.9)))
    seen.append(name(source=first.finish({"loss": 0.4}, published=["model"])))
    assert len(set(seen)) == len(seen)
    assert name() != seen[0]


def test_a_place_is_not_part_of_the_work(tmp_path: Path) -> None:
    """The same data copied elsewhere is the same work."""
    for place in ("here", "there"):
        (tmp_path / place).write_text("same")
    one, two = (Run.begin(tmp_path / "runs", "train", How(), {"data": tmp_path / place}) for place in ("here", "there"))
    assert one.id == two.id


def test_a_version_of_dragoman_is_part_of_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Run.begin(tmp_path, "train", How(), {})
    monkeypatch.setattr(runs, "__version__", "99.0")
    assert Run.begin(tmp_path, "train", How(), {}).id != before.id


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": "x"}', "\xff"])
def test_a_record_that_cannot_be_read_is_told_and_not_listed(tmp_path: Path, text: str) -> None:
    run = Run.begin(tmp_path, "train", How(), {})
    (run.folder / "run.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"run\.json cannot be read"):
        Run.open(run.folder)
    assert all_runs(tmp_path) == []


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run") as told:
        Run.open(tmp_path)
    assert "dragoman runs" in told.value.hint
    assert all_runs(tmp_path / "nowhere") == []


def test_figures_that_are_not_finite_are_null(tmp_path: Path) -> None:
    run = Run.begin(tmp_path, "train", How(), {}).finish({"loss": float("nan")})
    assert run.results == {"loss": None}


@pytest.fixture
def four(tmp_path: Path) -> dict[str, Run]:
    """Three runs of two verbs, the later begun later."""
    return {
        "old": finished(tmp_path, "train", 0.1),
        "new": finished(tmp_path, "train", 0.2),
        "measured": finished(tmp_path, "evaluate", 0.1),
    }


def test_a_run_is_found_by_what_one_says(tmp_path: Path, four: dict[str, Run]) -> None:
    assert find(tmp_path, four["old"].id).id == four["old"].id
    assert find(tmp_path, four["old"].id[:-2]).id == four["old"].id
    assert find(tmp_path, str(four["old"].folder)).id == four["old"].id
    assert find(tmp_path / "nowhere", str(four["old"].folder)).id == four["old"].id
    assert find(tmp_path, "train").id == four["new"].id, "a verb means its newest run"
    assert find(tmp_path, "").id == four["measured"].id, "no word means the newest of all"
    assert find(tmp_path, "", ["train"]).id == four["new"].id


def test_runs_begun_in_the_same_second_are_in_order(tmp_path: Path) -> None:
    begun = [Run.begin(tmp_path, "train", How(number), {}).id for number in range(12)]
    assert [run.id for run in all_runs(tmp_path)] == begun


def test_a_run_that_is_not_there(tmp_path: Path, four: dict[str, Run]) -> None:
    with pytest.raises(UserError, match="there is no run 'trian'") as told:
        find(tmp_path, "trian")
    assert "known: evaluate-" in told.value.hint
    almost = four["old"].id[:-1] + "?"
    with pytest.raises(UserError) as told:
        find(tmp_path, almost)
    assert f"did you mean '{four['old'].id}'?" in told.value.hint
    with pytest.raises(UserError, match=f"there is no run '{four['measured'].id}'"):
        find(tmp_path, four["measured"].id, ["train"])
    with pytest.raises(UserError, match="there is no run in") as told:
        find(tmp_path / "nowhere", "")
    assert "dragoman run" in told.value.hint


def test_a_word_for_several_runs_names_them(tmp_path: Path, four: dict[str, Run]) -> None:
    with pytest.raises(UserError, match="'train-' could be train-") as told:
        find(tmp_path, "train-")
    assert four["old"].id in told.value.problem
    assert four["new"].id in told.value.problem
    assert "more letters" in told.value.hint


def test_the_environment_is_read_without_importing_what_it_names() -> None:
    said = "import sys; from dragoman.core.runs import environment; print(environment(), 'torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout
    assert told.endswith("False\n")
    assert set(environment()) >= {"python", "system", "processor", "cores", "numpy"}
