"""Trains a classifier: measured by the assistant that would serve it, saved in every form, held against each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dragoman.app.assistant import Assistant
from dragoman.app.steps.classify import Classify
from dragoman.core import durable
from dragoman.core.doors import LM, Embedder
from dragoman.core.targets import Criterion
from dragoman.core.types import Example
from dragoman.data.builtin import summaries
from dragoman.evals.task import make_metrics
from dragoman.stages.assistants import MODEL, write_card
from dragoman.stages.job import ADAPTER, Job, figures_of
from dragoman.stages.train import watched
from dragoman.train.doors import How

if TYPE_CHECKING:
    from dragoman.nn.heads import Classifier
    from dragoman.nn.tokenizer import Tokenizer

__all__ = ["measure_of", "train_classifier"]

PROBE = 64  # texts that parity is asserted on
PAIRS = 300
PARITY = 1e-4  # probabilities of one text, from two forms of the same weights, in fp32

Vectors = tuple[NDArray[np.float32], NDArray[np.float32]]


def train_classifier(job: Job) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Learn in the run's folder and keep the model there; what is recorded of it, and which folders are published."""
    from dragoman.nn.store import load_classifier
    from dragoman.nn.tokenizer import Tokenizer

    several, watch = job.project.scope.multi_label, watched(job.project)
    tokenizer = Tokenizer(job.base)
    net = load_classifier(job.base, job.labels, several, seed=job.how.seed)
    tokenizer.fit(net.arch)
    tokenizer.max_length = job.how.max_length
    measure = measure_of(job.validation, job.labels, several, watch, tokenizer)
    outcome = job.learn(net, tokenizer, job.train, measure, watch.metric, watch.higher)
    kept = _keep(job, outcome.net.cpu(), tokenizer)
    return {**job.record(outcome), **kept}, (MODEL, ADAPTER) if job.beside else (MODEL,)


def measure_of(
    examples: Sequence[Example], labels: tuple[str, ...], several: bool, watch: Criterion, tokenizer: "Tokenizer"
) -> Callable[["Classifier"], Mapping[str, float]]:
    """What validation shows of a net, measured through the assistant that would serve it."""
    from dragoman.models.classifier import LocalClassifier

    names = [watch.metric, *(name for name in ("accuracy", "log_loss") if name != watch.metric)]
    metrics = make_metrics(names, labels, several)

    def measure(net: "Classifier") -> Mapping[str, float]:
        device = next(net.parameters()).device
        assistant = Assistant(LocalClassifier(net, tokenizer, device=device), (Classify(labels, several),))
        return figures_of(assistant, [example.text for example in examples], examples, metrics)

    return measure


def _keep(job: Job, net: "Classifier", tokenizer: "Tokenizer") -> dict[str, Any]:
    """Save the model in every form, and assert that wrapped, merged, saved and served answer alike."""
    from dragoman.models.classifier import LocalClassifier
    from dragoman.models.open import open_classifier
    from dragoman.nn.store import save_classifier

    labels, several, probe = net.labels, net.multi_label, job.validation[:PROBE]
    messages = [example.prompt for example in probe]

    def scores(lm: LM) -> NDArray[np.float64]:
        return np.exp(np.asarray(lm.score(messages, labels)))

    forms = {"trained": scores(LocalClassifier(net, tokenizer))}
    adapter = job.keep_adapter(net, tokenizer) if job.beside else None
    net = job.tuning.merge(net)
    forms["merged"] = scores(LocalClassifier(net, tokenizer))

    def fill(stage: Path) -> None:
        save_classifier(net, tokenizer, stage)
        card = {
            "kind": "classifier",
            "labels": list(labels),
            "multi_label": several,
            "max_length": tokenizer.max_length,
        }
        write_card(stage, {**card, "base": job.model, "tuning": job.tuning_name})

    model = job.run.folder / MODEL
    durable.publish(model, fill)
    saved = open_classifier(model)
    forms["saved"] = scores(saved)
    served = Assistant(saved, (Classify(labels, several),)).answer([example.text for example in probe])
    forms["served"] = np.array([[turn.answer.scores[label] for label in labels] for turn in served])
    if adapter is not None:
        forms["adapter"] = scores(open_classifier(job.base, adapter=adapter, labels=labels, multi_label=several))
    size = sum(file.stat().st_size for file in model.iterdir())
    return {"parity": _parity(forms), "forgetting": _forgotten(job.base, model, job.how), "bytes": size}


def _parity(forms: Mapping[str, NDArray[np.float64]]) -> list[dict[str, Any]]:
    """Each form against the trained one. A difference is a bug, and is not passed on."""
    first = forms["trained"]
    found = []
    for name, other in forms.items():
        if name != "trained":
            gap = float(np.abs(first - other).max())
            same = bool((first.argmax(axis=1) == other.argmax(axis=1)).all())
            found.append({"pair": f"trained = {name}", "difference": gap, "tolerance": PARITY, "same_answers": same})
            if gap > PARITY:
                raise RuntimeError(f"parity broke: trained and {name} differ by {gap:.2g} in a probability")
    return found


def _forgotten(base: Path, model: Path, how: How) -> dict[str, Any]:
    """What the encoder could do before and can no longer: find the text that belongs to a summary, among 300."""
    from dragoman.evals.forgetting import forgetting
    from dragoman.models.open import open_embedder

    length = min(how.max_length, 128)
    after = _probed(open_embedder(model, max_length=length))
    card = forgetting(_before(base, length), after)
    probe = f"finding the text that belongs to a summary, among {PAIRS} of the standard library's documentation"
    return {"probe": probe, **{name: asdict(getattr(card, name)) for name in ("before", "after", "drop")}}


@cache
def _before(base: Path, length: int) -> Vectors:
    """The untouched model's vectors; every rung is held against the same ones."""
    from dragoman.models.open import open_embedder

    return _probed(open_embedder(base, max_length=length))


def _probed(embedder: Embedder) -> Vectors:
    pairs = summaries(PAIRS)
    return embedder.embed([one for one, _ in pairs]), embedder.embed([two for _, two in pairs])
