"""What a project says of the rungs beyond answers, checked before any work."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dragoman.core.config import build
from dragoman.core.errors import UserError
from dragoman.core.project import Project
from dragoman.core.types import Example
from dragoman.evals.task import asked
from dragoman.stages.assistants import ALIGNED
from dragoman.stages.judges import check_named
from dragoman.stages.plugs import plug
from dragoman.stages.writing import model_kind
from dragoman.train.doors import OBJECTIVES, TUNINGS, How

__all__ = ["check_alignment", "on_its_rungs", "policy_of", "preference_of", "told_apart"]

KEPT = ("seed", "precision", "device", "batch")
"settings of the loop that hold for these rungs too; rates and epochs of other objectives do not"


def preference_of(project: Project) -> Any:
    """By what the preference rung learns. Raises UserError where that does not learn from preferences."""
    name, settings = plug(project.alignment.preference, "objective")
    if name in OBJECTIVES.names() and ("preferences" not in OBJECTIVES.kind(name).needs or name == "reward"):
        raise UserError(f"{name} makes no model that answers from pairs", "say alignment.preference=dpo, kto or orpo")
    return OBJECTIVES.make(name, settings, "alignment.preference")


def policy_of(project: Project) -> Any:
    """By what the ppo rung learns, with the reward that the project names. Raises UserError where it takes none."""
    name, settings = plug(project.alignment.policy, "objective")
    if project.alignment.reward and not settings.get("reward"):
        settings["reward"] = project.alignment.reward
    if name in OBJECTIVES.names() and "reward" not in OBJECTIVES.kind(name).needs:
        raise UserError(f"{name} learns from no rewards", "say alignment.policy=ppo, rloo or grpo")
    return OBJECTIVES.make(name, settings, "alignment.policy")


def on_its_rungs(project: Project) -> Project:
    """The project with the settings of the loop that these rungs have."""
    kept = {name: value for name, value in project.train.items() if name in KEPT}
    return replace(project, train={**kept, **project.alignment.train}, objective={})


def check_alignment(project: Project) -> None:
    """Raise UserError where a judge is not there, or the rungs that the project names could not learn as it says."""
    from dragoman.models.source import resolve

    asked(project.scope)
    for spec in project.scope.judges.values():
        check_named(project, spec)
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
    policy = policy_of(project) if "ppo" in project.ladder.rungs else None
    for named in (policy.reward, policy.second) if policy else ():
        if named:
            check_named(project, named)
    for model in project.models.candidates:
        if (kind := model_kind(resolve(project.place(model)))) != "decoder":
            hint = "leave them out of ladder.rungs, or name a decoder in models.candidates"
            raise UserError(f"preference and ppo are rungs of decoders, and {model} is an {kind}", hint)


def told_apart(*parts: Sequence[Example], thumbs: bool = False) -> bool:
    """Whether each part of the data says which of two answers is better, or of one alone, where `thumbs` are enough."""
    return all(any(one.rejected or (thumbs and "good" in one.meta) for one in part) for part in parts)
