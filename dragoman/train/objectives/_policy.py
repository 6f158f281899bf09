"""What ppo, rloo and grpo share: the settings that cannot be, and what a step tells of how far the policy went."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from dragoman.core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from dragoman.train.policy import PolicyBatch
    from dragoman.train.rollout import Drawing, Per

__all__ = ["check_drawing", "check_share", "drawing_of", "told"]


def check_drawing(objective: Any) -> None:
    """Raise UserError at a setting of how answers are drawn that means nothing."""
    for name in ("every", "episodes", "samples", "passes", "max_tokens", "prompt_tokens"):
        if getattr(objective, name) < 1:
            raise UserError(f"{name} cannot be {getattr(objective, name)}", f"say 1 or more: objective.{name}=64")
    for name in ("kl_budget", "beta", "target", "entropy"):
        if not 0 <= getattr(objective, name) < float("inf"):
            raise UserError(f"{name} cannot be {getattr(objective, name)}", f"say 0 or more: objective.{name}=0.05")
    for name in ("temperature", "clip", "horizon"):
        if not 0 < getattr(objective, name) < float("inf"):
            raise UserError(f"{name} cannot be {getattr(objective, name)}", f"say more than 0: objective.{name}=1")
    if objective.episodes % objective.samples:
        raise UserError(
            f"{objective.episodes} answers a round are no whole number of prompts with {objective.samples} each",
            f"say objective.episodes={objective.samples * max(1, objective.episodes // objective.samples)}",
        )


def drawing_of(objective: Any, per: Per) -> Drawing:
    """How answers are drawn and scored, by the objective's own settings; its loss is a mean over `per`."""
    from dragoman.train.rollout import Drawing

    shared = {one.name: getattr(objective, one.name) for one in fields(Drawing) if one.name != "per"}
    return Drawing(**shared, per=per)


def check_share(objective: Any, *names: str) -> None:
    """Raise UserError where one of these is not from 0 to 1."""
    for name in names:
        if not 0 <= getattr(objective, name) <= 1:
            raise UserError(f"{name} cannot be {getattr(objective, name)}", f"it is from 0 to 1: objective.{name}=0.95")


def told(batch: PolicyBatch, logs: Tensor, ratio: Tensor, clip: float) -> dict[str, Any]:
    """Of a step: half the mean squared change of log p and the share of tokens that were clipped; and of its round."""
    mask = batch.labels != -100  # [b, s]
    share = batch.weight / max(1, batch.tokens)  # they are means over tokens, whatever the loss is a mean over
    moved = 0.5 * ((logs - batch.logs).square() * mask).sum().detach()
    clipped = (((ratio - 1).abs() > clip) & mask).float().sum()
    found: dict[str, Any] = {"moved": moved * share, "clipped": clipped * share}
    return found | {
        name: logs.new_tensor(value * batch.weight) for name, value in {**batch.told, "beta": batch.beta}.items()
    }
