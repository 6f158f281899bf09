"""Trains an encoder that tags words or cuts answers out of a text: measured, saved, held against its own forms."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dragoman.app.assistant import Assistant
from dragoman.app.steps.extract import Extract
from dragoman.app.steps.tag import Tag
from dragoman.app.steps.tidy import Tidy
from dragoman.app.turn import Step
from dragoman.core import durable
from dragoman.core.config import dump
from dragoman.core.doors import LM
from dragoman.core.project import Project
from dragoman.core.runs import Run
from dragoman.core.show import Tick
from dragoman.core.sizing import reset_peak_memory
from dragoman.core.types import Example
from dragoman.evals.task import led_by, make_metrics
from dragoman.stages.assistants import MODEL, write_card
from dragoman.train.doors import How

if TYPE_CHECKING:
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.session import Outcome

__all__ = ["open_reader", "steps_around", "train_reader"]

PROBE = 32  # texts that every form of the model must answer alike
VALIDATED = 500  # rows of validation that are measured while it learns
THIN = ("lora", "dora", "ia3")
"tunings whose adapter is kept beside the merged model, as PEFT has it"


def steps_around(kind: str, labels: Sequence[str]) -> tuple[Step, ...]:
    """The steps around the model of a card, the same when it is measured and when it serves."""
    return (Tidy(), Tag(tuple(labels)) if kind == "tagger" else Extract())


def open_reader(folder: Path, card: Mapping[str, Any]) -> Assistant:
    """The assistant of a run's folder."""
    from dragoman.models.open import open_extractor, open_tagger

    lm: LM = open_tagger(folder) if card["kind"] == "tagger" else open_extractor(folder)
    return Assistant(lm, steps_around(str(card["kind"]), card["labels"]))


def train_reader(
    project: Project,
    rows: tuple[Sequence[Example], Sequence[Example]],
    labels: tuple[str, ...],
    run: Run,
    base: tuple[str, Path],
    objective: tuple[str, Any],
    tuning: tuple[str, Any],
    how: How,
    said: Callable[[str], None],
    tick: Tick,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Learn in the run's folder and keep the model there; what is recorded of it, and the folders that are published.

    `rows` are those of train and validation, `base` the model as it was named and its folder.
    """
    from dragoman.nn.headed import load_extractor, load_tagger
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.session import Watch, learn

    kind = "tagger" if objective[0] == "tag" else "extractor"
    net: Any = load_tagger(base[1], labels, how.seed) if kind == "tagger" else load_extractor(base[1], how.seed)
    tokenizer = Tokenizer(base[1])
    tokenizer.fit(net.arch)
    tokenizer.max_length = how.max_length
    judged = rows[1][:VALIDATED]
    reset_peak_memory()
    outcome = learn(
        net,
        tokenizer,
        objective[1],
        tuning[1],
        rows[0],
        how,
        run.folder / "training",
        _measure(project.scope.task, kind, judged, labels, tokenizer),
        Watch(led_by(project.scope.task, judged), higher=True),
        said,
        tick,
    )
    tick(1.0, "saving and holding the forms against each other")
    facts = _facts(outcome, tuning)
    kept = _keep(project, run, kind, outcome, tuning, tokenizer, base, rows[1][:PROBE])
    return {**facts, **kept}, (MODEL, "adapter") if tuning[0] in THIN else (MODEL,)


def _door(kind: str, net: Any, tokenizer: "Tokenizer") -> LM:
    """A net behind the door, where it stands."""
    from dragoman.models.extractor import LocalExtractor
    from dragoman.models.tagger import LocalTagger

    device = next(net.parameters()).device
    made: LM = (LocalTagger if kind == "tagger" else LocalExtractor)(net, tokenizer, device=device)
    return made


def _measure(
    task: str, kind: str, examples: Sequence[Example], labels: tuple[str, ...], tokenizer: "Tokenizer"
) -> Callable[[Any], Mapping[str, float]]:
    """What validation shows of a net, measured through the assistant that would serve it."""
    names = [led_by(task, examples)] + (["exact_match"] if task == "answer" else [])
    metrics = make_metrics(names, labels, False, task)

    def measure(net: Any) -> Mapping[str, float]:
        turns = Assistant(_door(kind, net, tokenizer), steps_around(kind, labels)).answer(
            [one.prompt for one in examples]
        )
        return {
            name: metric.combine(
                np.stack([metric.measure(turn.answer, one.answers) for turn, one in zip(turns, examples, strict=True)])
            )
            for name, metric in metrics.items()
        }

    return measure


def _facts(outcome: "Outcome", tuning: tuple[str, Any]) -> dict[str, Any]:
    """What is recorded of a training."""
    from dragoman.train.anatomy import fold_learning

    names = ("best_step", "steps", "planned", "stretch", "seconds", "tokens", "memory", "learnt", "cut", "skipped")
    return {
        **{name: getattr(outcome, name) for name in names},
        "best": dict(outcome.best),
        "history": [dict(point) for point in outcome.history],
        "losses": list(outcome.losses),
        "order": outcome.chain,
        "weights": sum(weight.numel() for weight in outcome.net.parameters()),
        "learning": fold_learning(outcome.net),
        "tuning": {"name": tuning[0], **dump(tuning[1])},
    }


def _keep(
    project: Project,
    run: Run,
    kind: str,
    outcome: "Outcome",
    tuning: tuple[str, Any],
    tokenizer: "Tokenizer",
    base: tuple[str, Path],
    probe: Sequence[Example],
) -> dict[str, Any]:
    """Save the model in every form, and assert that trained, merged, saved and adapter answer with the same words."""
    from dragoman.nn.headed import save_extractor, save_tagger
    from dragoman.train.adapter import write_adapter

    net = outcome.net.cpu().eval()
    labels = tuple(getattr(net, "labels", ()))
    asked = [one.prompt for one in probe]

    def said(assistant: Assistant) -> list[str]:
        return [turn.answer.text for turn in assistant.answer(asked)]

    steps = steps_around(kind, labels)
    forms = {"trained": said(Assistant(_door(kind, net, tokenizer), steps))}
    if tuning[0] in THIN:

        def beside(stage: Path) -> None:
            write_adapter(net, tuning[1], stage, base[0])
            tokenizer.save(stage)

        durable.publish(run.folder / "adapter", beside)
    net = tuning[1].merge(net).eval()
    forms["merged"] = said(Assistant(_door(kind, net, tokenizer), steps))
    card = {"kind": kind, "labels": list(labels), "multi_label": False, "task": project.scope.task}
    card |= {"max_length": tokenizer.max_length, "base": base[0], "tuning": tuning[0]}

    def fill(stage: Path) -> None:
        (save_tagger if kind == "tagger" else save_extractor)(net, tokenizer, stage)
        write_card(stage, card)

    durable.publish(run.folder / MODEL, fill)
    forms["saved"] = said(open_reader(run.folder / MODEL, card))
    if tuning[0] in THIN:
        forms["adapter"] = said(Assistant(_with_adapter(kind, base[1], run.folder / "adapter", labels), steps))
    found = []
    for name, answers in forms.items():
        if name != "trained":
            apart = sum(one != other for one, other in zip(forms["trained"], answers, strict=True)) / max(1, len(asked))
            found.append(
                {"pair": f"trained = {name}", "difference": apart, "tolerance": 0.0, "same_answers": not apart}
            )
            if name == "saved" and apart:
                raise RuntimeError(f"parity broke: the saved model answers {apart:.1%} of the texts otherwise")
    size = sum(file.stat().st_size for file in (run.folder / MODEL).iterdir())
    return {"parity": found, "bytes": size, "forgetting": None}


def _with_adapter(kind: str, base: Path, adapter: Path, labels: tuple[str, ...]) -> LM:
    from dragoman.models.open import open_extractor, open_tagger

    if kind == "tagger":
        tagger: LM = open_tagger(base, adapter=adapter, labels=labels)
        return tagger
    extractor: LM = open_extractor(base, adapter=adapter)
    return extractor
