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
from dragoman.core.runs import Run
from dragoman.core.show import Tick
from dragoman.core.sizing import reset_peak_memory
from dragoman.core.targets import Criterion
from dragoman.core.types import Example
from dragoman.data.builtin import summaries
from dragoman.evals.task import make_metrics
from dragoman.stages.assistants import MODEL, write_card
from dragoman.train.doors import How

if TYPE_CHECKING:
    from dragoman.nn.heads import Classifier
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.session import Outcome

__all__ = ["measure_of", "train_classifier"]

PROBE = 64  # texts that parity is asserted on
PAIRS = 300
THIN = ("lora", "dora", "ia3")
"tunings whose adapter is kept beside the merged model, as PEFT has it"
PARITY = 1e-4  # probabilities of one text, from two forms of the same weights, in fp32

Vectors = tuple[NDArray[np.float32], NDArray[np.float32]]


def train_classifier(
    rows: tuple[Sequence[Example], Sequence[Example]],
    labels: tuple[str, ...],
    several: bool,
    watch: Criterion,
    run: Run,
    base: tuple[str, Path],
    objective: Any,
    tuning: tuple[str, Any],
    how: How,
    said: Callable[[str], None],
    tick: Tick,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Learn in the run's folder and keep the model there; what is recorded of it, and the folders that are published.

    `rows` are those of train and validation, `base` the model as it was named and its folder.
    """
    from dragoman.nn.store import load_classifier
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.session import Watch, learn

    tokenizer = Tokenizer(base[1])
    net = load_classifier(base[1], labels, several, seed=how.seed)
    tokenizer.fit(net.arch)
    tokenizer.max_length = how.max_length
    reset_peak_memory()
    outcome = learn(
        net,
        tokenizer,
        objective,
        tuning[1],
        rows[0],
        how,
        run.folder / "training",
        measure_of(rows[1], labels, several, watch, tokenizer),
        Watch(watch.metric, watch.higher),
        said,
        tick,
    )
    tick(1.0, "saving and holding the forms against each other")
    facts = _facts(outcome)
    facts |= _keep(run, tuning, outcome, tokenizer, base, rows[1][:PROBE], how)
    return facts, (MODEL, "adapter") if tuning[0] in THIN else (MODEL,)


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
        turns = assistant.answer([example.text for example in examples])
        rows = {
            name: np.stack(
                [metric.measure(turn.answer, one.answers) for turn, one in zip(turns, examples, strict=True)]
            )
            for name, metric in metrics.items()
        }
        return {name: metric.combine(rows[name]) for name, metric in metrics.items()}

    return measure


def _facts(outcome: "Outcome") -> dict[str, Any]:
    """What is recorded of a training."""
    from dragoman.train.anatomy import fold_learning

    return {
        "best": dict(outcome.best),
        "best_step": outcome.best_step,
        "steps": outcome.steps,
        "planned": outcome.planned,
        "history": [dict(point) for point in outcome.history],
        "losses": list(outcome.losses),
        "stretch": outcome.stretch,
        "order": outcome.chain,
        "seconds": outcome.seconds,
        "tokens": outcome.tokens,
        "memory": outcome.memory,
        "learnt": outcome.learnt,
        "weights": sum(weight.numel() for weight in outcome.net.parameters()),
        "learning": fold_learning(outcome.net),
        "cut": outcome.cut,
    }


def _keep(
    run: Run,
    tuning: tuple[str, Any],
    outcome: "Outcome",
    tokenizer: "Tokenizer",
    base: tuple[str, Path],
    probe: Sequence[Example],
    how: How,
) -> dict[str, Any]:
    """Save the model in every form, and assert that wrapped, merged, saved and served answer alike."""
    from dragoman.models.classifier import LocalClassifier
    from dragoman.models.open import open_classifier
    from dragoman.nn.store import save_classifier
    from dragoman.train.adapter import write_adapter

    labels, several = outcome.net.labels, outcome.net.multi_label
    messages = [example.prompt for example in probe]

    def scores(lm: LM) -> NDArray[np.float64]:
        return np.exp(np.asarray(lm.score(messages, labels)))

    net = outcome.net.cpu()
    forms = {"trained": scores(LocalClassifier(net, tokenizer))}
    adapter = run.folder / "adapter"
    if tuning[0] in THIN:

        def beside(stage: Path) -> None:
            write_adapter(net, tuning[1], stage, base[0])
            tokenizer.save(stage)

        durable.publish(adapter, beside)
    net = tuning[1].merge(net)
    forms["merged"] = scores(LocalClassifier(net, tokenizer))

    def fill(stage: Path) -> None:
        save_classifier(net, tokenizer, stage)
        card = {
            "kind": "classifier",
            "labels": list(labels),
            "multi_label": several,
            "max_length": tokenizer.max_length,
        }
        write_card(stage, {**card, "base": base[0], "tuning": tuning[0]})

    durable.publish(run.folder / MODEL, fill)
    saved = open_classifier(run.folder / MODEL)
    forms["saved"] = scores(saved)
    served = Assistant(saved, (Classify(labels, several),)).answer([example.text for example in probe])
    forms["served"] = np.array([[turn.answer.scores[label] for label in labels] for turn in served])
    if tuning[0] in THIN:
        forms["adapter"] = scores(open_classifier(base[1], adapter=adapter, labels=labels, multi_label=several))
    size = sum(file.stat().st_size for file in (run.folder / MODEL).iterdir())
    return {"parity": _parity(forms), "forgetting": _forgotten(base[1], run.folder / MODEL, how), "bytes": size}


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
