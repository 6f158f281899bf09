"""The budget is shared among the rungs, and what does not fit is cut in the order that is promised."""

from dataclasses import replace

from dragoman.core.project import Budget, Ladder, Project, Scope
from dragoman.stages.plan import Pace, RungPlan, allot
from dragoman.train.doors import TUNINGS

PACE = Pace(step=0.1, embed=0.001, classify=0.001, single=0.001, memory=100_000_000)
SIZES = (1000, 200, 1000)
FREE: dict[str, float] = {}
WHOLE = TUNINGS.kind("full").epochs


def planned(time: str, memory: str = "4 GiB", rungs: tuple[str, ...] = ("zero_shot", "full")) -> dict[str, RungPlan]:
    """The plan of a project with this budget, each rung by its name."""
    project = Project(scope=Scope(budget=Budget(memory=memory, time=time)), ladder=Ladder(rungs=rungs))
    held = dict.fromkeys(rungs, (500000000, 1))
    return {one.rung: one for one in allot(project, SIZES, dict.fromkeys(rungs, PACE), held, FREE)}


def test_with_time_enough_nothing_is_cut() -> None:
    plan = planned("10 h")["full"]
    assert plan.fits
    assert plan.trials == 3
    assert plan.epochs == WHOLE
    assert plan.note == ""


def test_trials_go_first_then_epochs_then_the_rung() -> None:
    plans = [planned(f"{seconds} s")["full"] for seconds in (3600, 60, 20, 12, 8, 6, 1)]
    assert [one.trials for one in plans] == sorted((one.trials for one in plans), reverse=True)
    assert plans[0].trials > 1
    cut = [one for one in plans if one.epochs < WHOLE and one.fits]
    assert cut
    assert all(one.trials == 1 for one in cut)
    assert all(f"of {WHOLE:g} epochs" in one.note for one in cut)
    assert not plans[-1].fits
    assert "of the budget" in plans[-1].note


def test_the_whole_fits_into_the_budget() -> None:
    for seconds in (5, 20, 60, 300, 3600):
        found = planned(f"{seconds} s", rungs=("zero_shot", "few_shot", "head", "lora", "full"))
        assert sum(one.seconds for one in found.values() if one.fits) <= seconds


def test_a_rung_that_needs_more_memory_is_left_out_and_says_so() -> None:
    plan = planned("1 h", memory="400 MiB")
    assert not any(one.fits for one in plan.values())
    assert "models.max_length" in plan["full"].note


def test_what_was_measured_before_corrects_the_plan() -> None:
    project = Project(ladder=Ladder(rungs=("full",)))
    held = {"full": (1, 1)}
    plain = allot(project, SIZES, {"full": PACE}, held, {})[0]
    slower = allot(replace(project), SIZES, {"full": PACE}, held, {"full": 2.0})[0]
    assert slower.seconds > plain.seconds or slower.trials < plain.trials or slower.epochs < plain.epochs
