"""Trains an encoder that tags words or cuts answers out of a text: measured, saved, held against its own forms."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.app.assistant import Assistant
from dragoman.app.steps.extract import Extract
from dragoman.app.steps.tag import Tag
from dragoman.app.steps.tidy import Tidy
from dragoman.app.turn import Step
from dragoman.core import durable
from dragoman.core.doors import LM
from dragoman.core.types import Example
from dragoman.evals.task import led_by, make_metrics
from dragoman.stages.assistants import MODEL, write_card
from dragoman.stages.job import ADAPTER, Job, figures_of

if TYPE_CHECKING:
    from dragoman.nn.tokenizer import Tokenizer

__all__ = ["open_reader", "steps_around", "train_reader"]

PROBE = 32  # texts that every form of the model must answer alike
VALIDATED = 500  # rows of validation that are measured while it learns


def steps_around(kind: str, labels: Sequence[str]) -> tuple[Step, ...]:
    """The steps around the model of a card, the same when it is measured and when it serves."""
    return (Tidy(), Tag(tuple(labels)) if kind == "tagger" else Extract())


def open_reader(folder: Path, card: Mapping[str, Any]) -> Assistant:
    """The assistant of a run's folder."""
    from dragoman.models.open import open_extractor, open_tagger

    lm: LM = open_tagger(folder) if card["kind"] == "tagger" else open_extractor(folder)
    return Assistant(lm, steps_around(str(card["kind"]), card["labels"]))


def train_reader(job: Job) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Learn in the run's folder and keep the model there; what is recorded of it, and which folders are published."""
    from dragoman.nn.headed import load_extractor, load_tagger
    from dragoman.nn.tokenizer import Tokenizer

    kind, seed = "tagger" if job.project.scope.task == "tag" else "extractor", job.how.seed
    net: Any = load_tagger(job.base, job.labels, seed) if kind == "tagger" else load_extractor(job.base, seed)
    tokenizer = Tokenizer(job.base)
    tokenizer.fit(net.arch)
    tokenizer.max_length = job.how.max_length
    judged = job.validation[:VALIDATED]
    leads = led_by(job.project.scope.task, judged)
    measure = _measure(job.project.scope.task, kind, judged, job.labels, tokenizer, leads)
    outcome = job.learn(net, tokenizer, job.train, measure, leads, higher=True)
    kept = _keep(job, kind, outcome.net.cpu().eval(), tokenizer)
    return {**job.record(outcome), **kept}, (MODEL, ADAPTER) if job.beside else (MODEL,)


def _door(kind: str, net: Any, tokenizer: "Tokenizer") -> LM:
    """A net behind the door, where it stands."""
    from dragoman.models.extractor import LocalExtractor
    from dragoman.models.tagger import LocalTagger

    device = next(net.parameters()).device
    made: LM = (LocalTagger if kind == "tagger" else LocalExtractor)(net, tokenizer, device=device)
    return made


def _measure(
    task: str, kind: str, examples: Sequence[Example], labels: tuple[str, ...], tokenizer: "Tokenizer", leads: str
) -> Callable[[Any], Mapping[str, float]]:
    """What validation shows of a net, measured through the assistant that would serve it."""
    names = [leads] + (["exact_match"] if task == "answer" else [])
    metrics = make_metrics(names, labels, False, task)
    asked = [one.prompt for one in examples]

    def measure(net: Any) -> Mapping[str, float]:
        return figures_of(Assistant(_door(kind, net, tokenizer), steps_around(kind, labels)), asked, examples, metrics)

    return measure


def _keep(job: Job, kind: str, net: Any, tokenizer: "Tokenizer") -> dict[str, Any]:
    """Save the model in every form, and assert that trained, merged, saved and adapter answer with the same words."""
    from dragoman.nn.headed import save_extractor, save_tagger

    labels = tuple(getattr(net, "labels", ()))
    asked = [one.prompt for one in job.validation[:PROBE]]

    def said(assistant: Assistant) -> list[str]:
        return [turn.answer.text for turn in assistant.answer(asked)]

    steps = steps_around(kind, labels)
    forms = {"trained": said(Assistant(_door(kind, net, tokenizer), steps))}
    adapter = job.keep_adapter(net, tokenizer) if job.beside else None
    net = job.tuning.merge(net).eval()
    forms["merged"] = said(Assistant(_door(kind, net, tokenizer), steps))
    card = {"kind": kind, "labels": list(labels), "multi_label": False, "task": job.project.scope.task}
    card |= {"max_length": tokenizer.max_length, "base": job.model, "tuning": job.tuning_name}

    def fill(stage: Path) -> None:
        (save_tagger if kind == "tagger" else save_extractor)(net, tokenizer, stage)
        write_card(stage, card)

    model = job.run.folder / MODEL
    durable.publish(model, fill)
    forms["saved"] = said(open_reader(model, card))
    if adapter is not None:
        forms["adapter"] = said(Assistant(_with_adapter(kind, job.base, adapter, labels), steps))
    size = sum(file.stat().st_size for file in model.iterdir())
    return {"parity": _parity(forms), "bytes": size, "forgetting": None}


def _parity(forms: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Each form's answers against those of the trained one. A saved model that answers otherwise is a bug."""
    first, found = forms["trained"], []
    for name, answers in forms.items():
        if name != "trained":
            apart = sum(one != other for one, other in zip(first, answers, strict=True)) / max(1, len(first))
            pair = {"pair": f"trained = {name}", "difference": apart, "tolerance": 0.0}
            found.append({**pair, "same_answers": not apart})
            if name == "saved" and apart:
                raise RuntimeError(f"parity broke: the saved model answers {apart:.1%} of the texts otherwise")
    return found


def _with_adapter(kind: str, base: Path, adapter: Path, labels: tuple[str, ...]) -> LM:
    from dragoman.models.open import open_extractor, open_tagger

    if kind == "tagger":
        tagger: LM = open_tagger(base, adapter=adapter, labels=labels)
        return tagger
    extractor: LM = open_extractor(base, adapter=adapter)
    return extractor
