"""The plan of a ladder of a model that writes: memory decides, the budget of time is shared, corrections count."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dragoman.core.project import Project, overlay
from dragoman.core.runs import Run
from dragoman.core.show import silent
from dragoman.stages.plan_rungs import plan_rungs
from dragoman.stages.prepare import gather, prepare
from dragoman.stages.train import batched, planned, usual_rate
from tests.writers import write_model, write_rows


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Run, Path]:
    folder = tmp_path_factory.mktemp("plan")
    base, rows = write_model(folder / "base"), write_rows(folder / "rows.jsonl")
    table = {
        "scope": {"task": "chat", "target": {"exact_match": ">= 0.5"}, "budget": {"memory": "4 GiB", "time": "10 min"}},
        "data": {"source": str(rows)},
        "models": {"candidates": [str(base)], "max_length": 64, "max_tokens": 8},
        "ladder": {"rungs": ["zero_shot", "chain_of_thought", "lora", "full"], "trials": 3},
        "root": str(folder),
    }
    project = overlay(table, ())
    return project, prepare(project, gather(project)), base


def test_every_rung_has_a_time_and_a_memory(ready: tuple[Project, Run, Path]) -> None:
    project, prepared, base = ready
    found = {one.rung: one for one in plan_rungs(project, prepared, base, {}, silent)}
    assert list(found) == ["zero_shot", "chain_of_thought", "lora", "full"]
    assert all(one.seconds > 0 and one.fits for one in found.values())
    assert found["chain_of_thought"].seconds == pytest.approx(2 * found["zero_shot"].seconds)
    assert found["full"].trials == 3 and found["full"].rates[0] == usual_rate("full", base)
    assert found["lora"].memory > 0 and found["zero_shot"].memory == 0


def test_what_does_not_fit_is_left_out_and_says_why(ready: tuple[Project, Run, Path]) -> None:
    project, prepared, base = ready
    scope = project.scope
    small = replace(project, scope=replace(scope, budget=replace(scope.budget, memory="1 MiB")))
    full = next(one for one in plan_rungs(small, prepared, base, {}, silent) if one.rung == "full")
    assert not full.fits and "needs" in full.note
    short = replace(project, scope=replace(scope, budget=replace(scope.budget, time="1 s")))
    found = plan_rungs(short, prepared, base, {"full": 5.0, "lora": 5.0, "zero_shot": 5.0}, silent)
    assert not all(one.fits for one in found)
    assert all("of the budget left" in one.note for one in found if not one.fits)


def test_a_step_has_about_sixteen_examples_however_many_share_a_row(ready: tuple[Project, Run, Path]) -> None:
    project, prepared, _ = ready
    how = planned(project, {})
    assert 1 <= batched(project, prepared, how).batch <= 16
    longer = batched(project, prepared, replace(how, max_length=1024)).batch
    assert longer < batched(project, prepared, how).batch
    assert batched(replace(project, train={"batch": 5}), prepared, replace(how, batch=5)).batch == 5


def aligned(project: Project, folder: Path, rows: list[dict[str, object]], **change: object) -> tuple[Project, Run]:
    """The project over other rows, with the rungs that go on from the one that learnt from answers."""
    source = folder / "others.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    project = replace(
        project,
        data=replace(project.data, source=str(source)),
        ladder=replace(project.ladder, rungs=("full", "preference", "ppo")),
        alignment=replace(project.alignment, tuning="full", **change),  # type: ignore[arg-type]
    )
    return project, prepare(project, gather(project))


def test_thumbs_are_enough_for_kto_alone(ready: tuple[Project, Run, Path], tmp_path: Path) -> None:
    project, _, base = ready
    rows = [{"prompt": f"say {row}", "completion": f"it is {row}", "label": row % 2 == 0} for row in range(60)]
    project, prepared = aligned(project, tmp_path, list(rows))
    for name, fits in (("dpo", False), ("orpo", False), ("kto", True)):
        wanted = replace(project, alignment=replace(project.alignment, preference=name))
        found = {one.rung: one for one in plan_rungs(wanted, prepared, base, {}, silent)}
        assert found["preference"].fits == fits, found
        assert not found["ppo"].fits and "alignment.reward" in found["ppo"].note


def test_steps_and_epochs_are_those_of_the_rung_itself(ready: tuple[Project, Run, Path], tmp_path: Path) -> None:
    project, _, base = ready
    pairs = [{"prompt": f"say {row}", "chosen": f"it is {row}", "rejected": f"no, {row}"} for row in range(60)]
    own = {"steps": 6, "batch": 8}
    project, prepared = aligned(project, tmp_path, list(pairs), train=own, policy={"name": "rloo", "reward": "count:e"})
    found = {one.rung: one for one in plan_rungs(project, prepared, base, {}, silent)}
    assert found["preference"].epochs == pytest.approx(6 * 8 / prepared.results["card"]["parts"]["train"])
    ladder = replace(project.ladder, epochs=30.0)
    longer = {one.rung: one for one in plan_rungs(replace(project, ladder=ladder), prepared, base, {}, silent)}
    assert longer["full"].epochs == 10 * found["full"].epochs  # what the rung below takes is not what these take
    assert longer["preference"].epochs == found["preference"].epochs
