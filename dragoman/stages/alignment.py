"""What a project says of the rungs beyond answers, checked before any work."""

from typing import Any

from dragoman.core.config import build
from dragoman.core.errors import UserError
from dragoman.core.project import Project
from dragoman.evals.task import asked
from dragoman.stages.assistants import ALIGNED
from dragoman.stages.judges import identity
from dragoman.stages.plugs import plug
from dragoman.train.doors import OBJECTIVES, TUNINGS, How

__all__ = ["check_alignment", "policy_of", "preference_of"]


def preference_of(project: Project) -> Any:
    """By what the preference rung learns. Raises UserError where that does not learn from preferences."""
    name, settings = plug(project.alignment.preference, "objective")
    if name in OBJECTIVES.names() and ("preferences" not in OBJECTIVES.kind(name).needs or name == "reward"):
        raise UserError(f"{name} makes no model that answers from pairs", "say alignment.preference=dpo, kto or orpo")
    return OBJECTIVES.make(name, settings, "alignment.preference")


def policy_of(project: Project) -> Any:
    """By what the ppo rung learns, with the reward that the project names. Raises UserError where it takes none."""
    name, settings = plug(project.alignment.policy, "objective")
    if project.alignment.reward:
        settings.setdefault("reward", project.alignment.reward)
    if name in OBJECTIVES.names() and "reward" not in OBJECTIVES.kind(name).needs:
        raise UserError(f"{name} learns from no rewards", "say alignment.policy=ppo, rloo or grpo")
    return OBJECTIVES.make(name, settings, "alignment.policy")


def check_alignment(project: Project) -> None:
    """Raise UserError where a judge is not there, or the rungs that the project names could not learn as it says."""
    asked(project.scope)
    for spec in project.scope.judges.values():
        identity(project, spec)
    if not set(ALIGNED) & set(project.ladder.rungs):
        return
    if project.scope.task in ("classify", "tag"):
        hint = "leave them out of ladder.rungs, or choose a task such as chat"
        raise UserError(
            f"preference and ppo are rungs of models that write, and the task is {project.scope.task}", hint
        )
    preference_of(project), policy_of(project)
    TUNINGS.make(*plug(project.alignment.tuning, "tuning"), "alignment.tuning")
    build(How, dict(project.alignment.train), "alignment.train")
    if "ppo" in project.ladder.rungs and (named := policy_of(project).reward):
        identity(project, named)
