"""Trains a model that scores answers, from people's choices: measured beside what it must beat, normalised, saved."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dragoman.core import durable
from dragoman.core.types import Example
from dragoman.data.prompt_leaks import prompt_groups
from dragoman.evals.interval import estimates
from dragoman.evals.pair_baselines import fit_linear
from dragoman.metrics.accuracy import Accuracy
from dragoman.metrics.log_loss import LogLoss
from dragoman.stages.assistants import MODEL, write_card
from dragoman.stages.job import Job
from dragoman.stages.writing import open_tokenizer, taught, told_of
from dragoman.train.doors import Kit

if TYPE_CHECKING:
    from dragoman.models.rewards import LocalScorer
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.rankings import Rankings

__all__ = ["Judged", "calibration", "judged", "train_scorer"]

Numbers = NDArray[np.float64]
Judged = dict[str, Any]
"what a record holds of margins: accuracy and nll, each with its interval, and how many pairs"
VALIDATED = 500  # pairs of validation that are measured while it learns
REFERENCE = 1000  # pairs of training whose answers' scores are given mean 0 and variance 1
PROBE = 32  # pairs whose scores the saved model must give alike
PARITY = 1e-4
DOUBT = 1.0  # rights and wrongs that a rule of length has before it is tried
STEEPEST = 100.0


def train_scorer(job: Job) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Learn in the run's folder and keep the model there; what is recorded of it, and which folders are published.

    Raises UserError where the data holds no pairs, or the model does not score.
    """
    from dragoman.nn.scorer import load_scorer
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.fitting import Lesson
    from dragoman.train.rankings import rankings_of

    net: Any = load_scorer(job.base, job.how.seed)
    words = told_of(job.project)
    train, held = taught(job.train, *words), taught(job.validation, *words)
    if net.arch.kind == "encoder":
        tokenizer = Tokenizer(job.base)
        tokenizer.fit(net.arch)
    else:
        tokenizer = open_tokenizer(job.base, net.arch, job.project, train, job.said)
    job = replace(job, how=replace(job.how, max_length=min(job.how.max_length, net.arch.longest)))
    tokenizer.max_length = job.how.max_length
    asked = rankings_of(net, Lesson(held), Kit(job.how, tokenizer))

    def measure(now: Any) -> Mapping[str, float]:
        from dragoman.models.rewards import LocalScorer

        device = next(now.parameters()).device
        margins = _margins(LocalScorer(now, tokenizer, device=device), asked, VALIDATED)
        return {"loss": float(np.logaddexp(0.0, -margins).mean()), "accuracy": float(_right(margins).mean())}

    outcome = job.learn(net, tokenizer, Lesson(train), measure, "loss", higher=False)
    known = rankings_of(net, Lesson(train), Kit(job.how, tokenizer))
    kept = _keep(job, outcome.net, tokenizer, known, asked, held)
    told = {"scorer": {**kept.pop("scorer"), "baselines": _baselines(train, [held[place] for place in asked.places])}}
    return {**job.record(outcome), **kept, **told, "forgetting": None}, (MODEL,)


def judged(margins: Numbers, groups: Sequence[int]) -> Judged:
    """How often the chosen answer scored higher, a tie half right, and the surprise in nats a pair, a coin's being
    ln 2: of margins of shape [pairs], with 95 % intervals that draw the pairs of one group together."""
    rows = {"accuracy": _right(margins)[:, None], "nll": np.logaddexp(0.0, -margins)[:, None]}
    made = estimates({"accuracy": Accuracy(), "nll": LogLoss()}, rows, [str(group) for group in groups])
    return {name: asdict(made[name]) for name in ("accuracy", "nll")}


def calibration(margins: Numbers) -> float:
    """The slope that the margins should have had: of the logistic regression of who was chosen on the margin.

    1 is calibrated, below 1 is too sure. Without a constant, because a pair has no first answer. Where every margin
    has one sign there is no best slope: it is then the steepest that is tried, 100, or 0.
    """
    low, high = 0.0, STEEPEST
    for _ in range(60):
        middle = (low + high) / 2
        doubt = 0.5 - 0.5 * np.tanh(middle * margins / 2)  # sigmoid(-slope * margin)
        low, high = (middle, high) if float(np.sum(doubt * margins)) > 0 else (low, middle)
    return (low + high) / 2


def _right(margins: Numbers) -> Numbers:
    right: Numbers = (margins > 0) + 0.5 * (margins == 0)
    return right


def _margins(scorer: "LocalScorer", pairs: "Rankings", most: int = 0) -> Numbers:
    """By how much each chosen answer scores higher, of shape [pairs]."""
    rows = pairs.rows[: most or None]
    scores = scorer.score([row for pair in rows for row in pair]).reshape(-1, 2)
    margins: Numbers = scores[:, 0] - scores[:, 1]
    return margins


def _keep(
    job: Job, net: Any, tokenizer: "Tokenizer", known: "Rankings", asked: "Rankings", held: Sequence[Example]
) -> dict[str, Any]:
    """Measure the model on validation, normalise it on answers of training, save it, assert that it scores alike."""
    from dragoman.models.rewards import LocalScorer, open_scorer
    from dragoman.nn.scorer import save_scorer

    device = next(net.parameters()).device
    net = job.tuning.merge(net).eval()
    scorer = LocalScorer(net, tokenizer, device=device)
    job.tick(1.0, "scoring what it learnt from")
    scores = scorer.score([row for pair in known.rows[:REFERENCE] for row in pair])
    mean, spread = float(scores.mean()), float(scores.std()) or 1.0
    margins = _margins(scorer, asked)
    net.normalise(mean, spread)
    probe = [row for pair in asked.rows[:PROBE] for row in pair]
    net = net.cpu()
    before = LocalScorer(net, tokenizer).score(probe)
    card = {"kind": "scorer", "labels": [], "multi_label": False, "task": job.project.scope.task}
    card |= {"max_length": tokenizer.max_length, "base": job.model, "tuning": job.tuning_name, "scale": spread}

    def fill(stage: Path) -> None:
        save_scorer(net, tokenizer, stage)
        write_card(stage, card)

    model = job.run.folder / MODEL
    durable.publish(model, fill)
    gap = float(np.abs(open_scorer(model, device="cpu").score(probe) - before).max())
    if gap > PARITY:
        raise RuntimeError(f"parity broke: the saved model scores up to {gap:.2g} otherwise")
    pair = {"pair": "trained = saved", "difference": gap, "tolerance": PARITY, "same_answers": True}
    groups = prompt_groups([held[place] for place in asked.places])
    told = {**judged(margins, groups), "slope": calibration(margins), "pairs": len(margins)}
    told |= {"mean": mean, "scale": spread, "reference": len(scores), "too_long": asked.dropped}
    size = sum(file.stat().st_size for file in model.iterdir())
    return {"parity": [pair], "bytes": size, "scorer": told}


def _baselines(train: Sequence[Example], held: Sequence[Example]) -> dict[str, Judged]:
    """What two rules of length and a linear model of words make of the same pairs, each taught by the same others."""
    linear, groups = fit_linear(train), prompt_groups(held)
    better = linear.rate((), [one.answers[0] for one in held])
    found = {"linear": judged(better - linear.rate((), [one.rejected for one in held]), groups)}
    sides = [
        np.array(
            [np.sign(len(one.answers[0]) - len(one.rejected)) for one in part if one.answers and one.rejected],
            dtype=np.float64,
        )
        for part in (train, held)
    ]
    for name, side in (("longer", 1.0), ("shorter", -1.0)):
        known, said = sides[0] * side, sides[1] * side
        odds = float(np.log((np.sum(known > 0) + DOUBT) / (np.sum(known < 0) + DOUBT)))
        # How often it is right is the rule's own; how sure it may be is what the others taught.
        found[name] = {**judged(said, groups), "nll": judged(said * odds, groups)["nll"]}
    return found
