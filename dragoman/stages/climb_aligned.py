"""The rungs that go on from the one that learnt from answers: pairs of answers (preference) or rewards (ppo).

Both begin with the best rung that learnt from answers, and are judged by the scope as every rung, and by how often a
judge puts their answer to a row of validation above that rung's.
"""

import os
from collections.abc import Callable, Mapping, Sequence

from dragoman.core.project import Project
from dragoman.core.runs import Run
from dragoman.core.show import Tick, silent
from dragoman.core.types import Estimate, Example
from dragoman.evals.rated import share_won
from dragoman.evals.run import Report
from dragoman.stages.alignment import on_its_rungs, policy_of, told_apart
from dragoman.stages.assistants import MODEL
from dragoman.stages.judges import open_named
from dragoman.stages.plugs import plug
from dragoman.stages.prepare import part
from dragoman.stages.train import Plan, planned, train

__all__ = ["aligned", "wins"]


def aligned(
    project: Project,
    prepared: Run,
    rung: str,
    base: str,
    below: Run | None,
    said: Callable[[str], None],
    tick: Tick = silent,
) -> Run:
    """The run of such a rung, from the model of the rung `below`, or from `base` where none learnt yet."""
    own = on_its_rungs(project)
    wanted = project.alignment.preference if rung == "preference" else project.alignment.policy
    name, settings = plug(wanted, "objective")
    if rung == "ppo" and not settings.get("reward"):
        settings["reward"] = _reward_of(project, prepared, base, said, tick)
    tuning, tuned = plug(project.alignment.tuning, "tuning")
    model = _from_root(project, below) if below else base
    return train(own, prepared, Plan(model, tuning, planned(own, {}), tuned, name, settings, rung=rung), said, tick)


def _reward_of(project: Project, prepared: Run, base: str, said: Callable[[str], None], tick: Tick = silent) -> str:
    """What scores answers: as the project names it, or a model that learns it from the pairs, all of it from `base`."""
    named = policy_of(project).reward
    if named:
        return str(named)
    plan = Plan(base, "full", planned(on_its_rungs(project), {}), objective="reward")

    def learning(done: float, text: str = "") -> None:
        tick(0.3 * done, f"a model of what is preferred: {text}")

    return _from_root(project, train(on_its_rungs(project), prepared, plan, said, learning))


def wins(
    project: Project,
    prepared: Run,
    base: str,
    examples: Sequence[Example],
    ours: Report,
    theirs: Report,
    said: Callable[[str], None],
) -> Mapping[str, Estimate]:
    """How often each judge of the scope, or the reward where it names none, puts our answer above theirs.

    None where the scope names no judge, the project no reward, and the data holds no pairs to learn one from.
    """
    if project.scope.judges:  # what they say of both was measured with the rest
        scores = [{name: one.measured[name][:, 0] for name in project.scope.judges} for one in (ours, theirs)]
    elif policy_of(project).reward or told_apart(part(prepared, "train"), examples):
        reward = open_named(project, _reward_of(project, prepared, base, said))
        prompts = [one.prompt for one in examples]
        scores = [{"reward": reward.rate(prompts, [one.text for one in each.answers])} for each in (ours, theirs)]
    else:
        return {}
    return {name: share_won(scores[0][name], scores[1][name], ours.groups) for name in scores[0]}


def _from_root(project: Project, run: Run) -> str:
    """The model of a run, as the project file would name it."""
    return os.path.relpath(run.folder / MODEL, project.root)
