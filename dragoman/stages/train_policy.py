"""Trains a policy on rewards: measured on held-out prompts, stopped by alarms, rolled back to its best state.

What is kept is the best state on validation whose KL to the model as it was lies inside the budget; a run that was
never better than its beginning gives back the beginning.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dragoman.core.config import dump
from dragoman.core.doors import Reward
from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.evals.hacking import Limits, best_of_n, paired_bounds, raised
from dragoman.stages.job import Job
from dragoman.stages.judges import doubt, open_named
from dragoman.stages.train_writer import Lessons, general_loss, keep_writer, lessons_of
from dragoman.stages.writing import open_tokenizer, taught, told_of
from dragoman.train.doors import How, Kit

if TYPE_CHECKING:
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.rollout import Drawing

__all__ = ["Seen", "paced", "train_policy"]

ASKED = 64  # prompts of validation that every measurement asks
OTHERS = 16  # prompts that chose nothing, below which the same ones are told of
CHOSEN, DRAWN = 32, 16  # prompts of the best of n, and answers to each
SHOWN = 8  # answers that the report shows, before and after
LUCK = 1_000_003  # the seed of measurements, so that all draw with the same random numbers


@dataclass(frozen=True)
class Seen:
    """One look at a policy: its figures, and the answers behind them, in the order of the prompts."""

    figures: Mapping[str, Any]
    prompts: tuple[str, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class _Look:
    """How a policy is measured: it answers the same prompts with the same random numbers, and is scored."""

    examples: Sequence[Example]
    reward: Reward
    second: Reward | None
    drawing: "Drawing"
    tokenizer: "Tokenizer"
    how: How
    lessons: Lessons
    origin: Any
    "the model as it was"

    def __call__(self, net: Any) -> Seen:
        """What the net answers now, and what that is worth."""
        import torch

        from dragoman.train.policy import told_of
        from dragoman.train.rollout import asked_of, draw, read_drawn, whole

        device = next(net.parameters()).device
        self.origin.to(device)
        kit = Kit(self.how, self.tokenizer, str(device))
        asked = asked_of(self.examples, kit, net.arch, self.drawing)
        drawn = draw(net, self.tokenizer, asked, self.drawing, (self.how.seed, LUCK))
        prompts = [one.prompt for one in asked]
        rewards = self.reward.rate(prompts, drawn.texts)
        how = self.drawing
        rollout, _ = read_drawn(net, whole(self.origin), drawn, self.tokenizer, how.temperature, 16, str(device))
        rollout = replace(rollout, rewards=torch.tensor(rewards, device=device))
        told = told_of(rollout, drawn)
        figures: dict[str, Any] = {name: told[name] for name in told if name != "score"}
        figures |= {"reward_rows": [float(one) for one in rewards], "length_rows": [len(ids) for ids in drawn.ids]}
        if self.second is not None:
            gold = self.second.rate(prompts, drawn.texts)
            figures |= {"gold": float(gold.mean()), "gold_rows": [float(one) for one in gold]}
        natural = general_loss(net, self.lessons, self.tokenizer, self.how)
        figures |= {} if natural is None else {"natural_loss": natural.loss}
        return Seen(figures, tuple(one.prompt[-1].content for one in asked), drawn.texts)

    def best_of(self, net: Any) -> list[dict[str, float]]:
        """What the best of so many of the net's answers is worth: the same reward for no training (Gao et al. 2022)."""
        from dragoman.train.rollout import asked_of, draw

        kit = Kit(self.how, self.tokenizer, str(next(net.parameters()).device))
        asked = asked_of(self.examples[:CHOSEN], kit, net.arch, self.drawing)
        rewards, gold = [], []
        for turn in range(DRAWN):
            drawn = draw(net, self.tokenizer, asked, self.drawing, (self.how.seed, LUCK, turn))
            prompts = [one.prompt for one in asked]
            rewards.append(self.reward.rate(prompts, drawn.texts))
            gold.append(rewards[-1] if self.second is None else self.second.rate(prompts, drawn.texts))
        sizes = [2**power for power in range(DRAWN.bit_length())]
        truth = None if self.second is None else np.stack(gold, axis=1)
        return best_of_n(np.stack(rewards, axis=1), truth, sizes)


def train_policy(job: Job) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Learn in the run's folder and keep the policy there; what is recorded of it, and the folders that are published.

    Raises UserError where the reward cannot be opened, or the prompts do not go with the model.
    """
    from dragoman.train.policy import Practice

    net, look = _begin(job)
    objective, lessons, tokenizer = job.objective, look.lessons, look.tokenizer
    doubted = doubt(job.project, objective.reward)
    if doubted:
        job.said(f"{doubted.name}: {doubted.said}")
    job.tick(0.0, "asking the model as it was")
    # The state that is kept is chosen on some prompts; what it is worth is told of others, where there are enough.
    others = lessons.validation[ASKED : 2 * ASKED]
    proof = replace(look, examples=others) if len(others) >= OTHERS else look
    before, general = proof(net.eval()), general_loss(net, lessons, tokenizer, job.how)
    best = look.best_of(net)
    outcome = job.learn(
        net,
        tokenizer,
        Practice(lessons.train, look.reward),
        lambda now: look(now).figures,
        "reward",
        higher=True,
        limits={"kl": objective.kl_budget} if objective.kl_budget else {},
        alarm=_alarm(objective),
        enough=objective.until,
        opening=True,
    )
    after = proof(outcome.net.eval())
    record = job.record(outcome)
    kept, published = keep_writer(job, outcome.net, tokenizer, lessons, general)
    told = {**_told(before, after, outcome), "best_of_n": best, "kl_budget": objective.kl_budget}
    told |= {"others": proof is not look}
    told["alarms"][:0] = [dump(doubted)] if doubted else []
    return {**record, **kept, "alignment": told}, published


def _begin(job: Job) -> tuple[Any, _Look]:
    """The model, and how it is measured."""
    import copy

    from dragoman.nn.store import load_lm

    objective = job.objective
    if not objective.reward:
        raise UserError("no reward is named", "name one: objective.reward=RUN, python:FILE.py, regex:... or count:TEXT")
    net: Any = load_lm(job.base)
    if net.arch.kind != "decoder":
        raise UserError(f"a policy is a decoder, and {job.model} is of kind {net.arch.kind}", "name another model")
    rows = taught(job.train, *told_of(job.project))
    tokenizer = open_tokenizer(job.base, net.arch, job.project, rows, job.said)
    lessons = lessons_of(job.project, job.train, job.validation, tokenizer, net.arch.kind)
    begun = [
        [_begun(one, tokenizer, objective.prompt_tokens) for one in part]
        for part in (lessons.train, lessons.validation)
    ]
    lessons = replace(lessons, train=begun[0], validation=begun[1])
    reward = open_named(job.project, objective.reward)
    second = open_named(job.project, objective.second) if objective.second else None
    held, origin = lessons.validation[:ASKED], copy.deepcopy(net).eval()
    return net, _Look(held, reward, second, objective.drawing, tokenizer, job.how, lessons, origin)


def _begun(example: Example, tokenizer: "Tokenizer", tokens: int) -> Example:
    """An example with a prompt: of a text its first tokens, which the policy goes on with."""
    if example.prompt or not example.answers:
        return example
    ids = tokenizer.plain([example.answers[0]])[0][:tokens]
    return replace(example, prompt=(Message("user", tokenizer.decode(ids)),))


def paced(objective: Any, how: How, given: Collection[str], prompts: int) -> How:
    """The loop's settings with those that suit a policy, but for the ones that were `given`.

    A step is a part of a round that divides it, what is drawn is learnt by the weights that drew it, and luck on
    validation ends nothing.
    """
    drawing = objective.drawing
    rounds = -(-prompts // (drawing.episodes // drawing.samples))  # in which every prompt is asked once
    return replace(
        how,
        batch=how.batch if "batch" in given else min(32, drawing.episodes),
        every=how.every if "every" in given else objective.every / rounds,
        average=how.average if "average" in given else 0.0,
        patience=how.patience if "patience" in given else 0,
        schedule=how.schedule if "schedule" in given else "constant",
    )


def _alarm(objective: Any) -> Callable[[Sequence[Mapping[str, Any]]], str]:
    """What ends a run: alarms, each by its name."""

    def sound(history: Sequence[Mapping[str, Any]]) -> str:
        return "; ".join(f"{one.name}: {one.said}" for one in raised(history, Limits(kl=objective.kl_budget)))

    return sound


def _told(before: Seen, after: Seen, outcome: Any) -> dict[str, Any]:
    """What the report shows of an alignment."""
    rows = range(min(SHOWN, len(before.texts)))
    samples = [
        {
            "prompt": before.prompts[row],
            "before": before.texts[row],
            "after": after.texts[row],
            "reward_before": before.figures["reward_rows"][row],
            "reward_after": after.figures["reward_rows"][row],
        }
        for row in rows
    ]
    return {
        "history": [dict(point) for point in outcome.history],
        "kept_step": outcome.best_step,
        "stopped": outcome.alarm,
        "alarms": _alarms(outcome),
        "gain": _gain(before.figures["reward_rows"], after.figures["reward_rows"]),
        "samples": samples,
        "before": dict(before.figures),
        "after": dict(after.figures),
    }


def _alarms(outcome: Any) -> list[dict[str, Any]]:
    """The alarms that ended the run, each by its name."""
    step = outcome.history[-1]["step"]
    parts = [part.partition(": ") for part in outcome.alarm.split("; ") if part and not part.startswith("enough")]
    return [{"name": name, "step": step, "said": said} for name, _, said in parts]


def _gain(before: Sequence[float], after: Sequence[float]) -> dict[str, float]:
    """What the same prompts are worth more afterwards, in the mean, with its 95 % interval from resampling them."""
    low, high = paired_bounds(after, before, 0.95)
    return {"value": float(np.mean(after) - np.mean(before)), "low": low, "high": high, "n": len(after)}
