"""Trains a model that writes: the examples instructed as they will be served, measured, saved in every form, compared.

What a training of a classifier records, this records too, so the ladder, the verdict and the server need know nothing
of the difference.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.core import durable
from dragoman.core.config import dump
from dragoman.core.project import Project
from dragoman.core.runs import Run
from dragoman.core.show import Tick
from dragoman.core.sizing import reset_peak_memory
from dragoman.core.types import Example
from dragoman.evals.interval import student
from dragoman.stages.assistants import MODEL, write_card
from dragoman.stages.teach import teacher_answers
from dragoman.stages.writing import general_texts, instruction_of, known, open_tokenizer, taught
from dragoman.train.doors import OBJECTIVES, How, Kit

if TYPE_CHECKING:
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.held_out import HeldOut
    from dragoman.train.packing import Texts
    from dragoman.train.session import Outcome

__all__ = ["Lessons", "lessons_of", "loss_of", "train_writer"]

VALIDATED = 200  # rows of validation that are measured while it learns
MEASURED = 20_000  # tokens of general text that forgetting is measured on


@dataclass(frozen=True)
class Lessons:
    """What one training reads: rows to learn, rows to measure on, and general texts (None where they do not apply)."""

    train: Sequence[Example]
    validation: Sequence[Example]
    replayed: "Texts | None" = None
    general: "Texts | None" = None


def lessons_of(
    project: Project, train: Sequence[Example], validation: Sequence[Example], tokenizer: "Tokenizer", kind: str
) -> Lessons:
    """The rows instructed, and the general texts, which an encoder-decoder has no use for."""
    instruction = instruction_of(project)
    rows = (taught(train, instruction), taught(validation, instruction))
    if kind != "decoder":
        return Lessons(*rows)
    return Lessons(*rows, *general_texts(project, tokenizer))


def train_writer(
    project: Project,
    rows: tuple[Sequence[Example], Sequence[Example]],
    run: Run,
    base: tuple[str, Path],
    objective: Any,
    tuning: tuple[str, Any],
    how: How,
    said: Callable[[str], None],
    tick: Tick,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Learn in the run's folder and keep the model there; what is recorded of it, and the folders that are published.

    `rows` are those of train and validation, `base` the model as it was named and its folder. Raises UserError where
    the data, the template or the tuning do not go with the model.
    """
    from dragoman.nn.store import load_lm
    from dragoman.train.fitting import Lesson
    from dragoman.train.session import Watch, learn

    net = load_lm(base[1])
    instruction = instruction_of(project)
    tokenizer = open_tokenizer(base[1], net.arch, project, taught(rows[0][:1], instruction), said)
    if hasattr(tuning[1], "begun"):  # a prompt that learns from words on: which tokens these are is known here
        tuning = (tuning[0], tuning[1].begun(tokenizer))
    # What learns in front of a text takes as many positions of it.
    room = net.arch.longest - int(getattr(tuning[1], "tokens", 0))
    how = replace(how, max_length=min(how.max_length, room) if room > 0 else how.max_length)
    lessons = lessons_of(project, *rows, tokenizer, net.arch.kind)
    answers = teacher_answers(objective, lessons.train, run.folder / "teacher", said, tick)
    lessons = replace(lessons, train=answers)
    lesson = Lesson(lessons.train, lessons.replayed if getattr(objective, "replay", 0.0) else None)
    tick(0.0, "measuring the untouched model on general texts")
    before = _general(net, lessons, tokenizer, how)
    reset_peak_memory()
    outcome = learn(
        net,
        tokenizer,
        objective,
        tuning[1],
        lesson,
        how,
        run.folder / "training",
        loss_of(net, objective, lessons, tokenizer, how),
        Watch("loss", higher=False),
        said,
        tick,
    )
    tick(1.0, "saving and holding the forms against each other")
    facts = _facts(outcome, tuning)
    kept, published = _keep(project, run, outcome, objective, tuning, tokenizer, base, lessons, before, how)
    return {**facts, **kept}, published


def loss_of(
    net: Any, objective: Any, lessons: Lessons, tokenizer: "Tokenizer", how: How
) -> Callable[[Any], Mapping[str, float]]:
    """What a measurement shows while it learns: nats for each token of the answers of validation."""
    from dragoman.train.fitting import Lesson
    from dragoman.train.held_out import hold_lesson

    if hasattr(objective, "of"):  # how sets are mixed, or who answered, changes nothing of what is measured
        objective = OBJECTIVES.make(objective.of, {}, "objective")
    plain = replace(objective, **{name: 0.0 for name in ("neftune", "replay", "smoothing") if hasattr(objective, name)})
    fitted = plain.encode(net, Lesson(lessons.validation), Kit(how, tokenizer))

    def measure(now: Any) -> Mapping[str, float]:
        device = str(next(now.parameters()).device)
        found = hold_lesson(now, plain, fitted, Kit(how, tokenizer, device), VALIDATED)
        return {"loss": found.loss}

    return measure


def _general(net: Any, lessons: Lessons, tokenizer: "Tokenizer", how: How) -> "HeldOut | None":
    """How well a decoder predicts general texts; None where there are none."""
    from dragoman.stages.language import first_of
    from dragoman.train.held_out import hold_out
    from dragoman.train.objectives.clm import Clm

    if lessons.general is None:
        return None
    some = replace(
        lessons.general, sources=tuple(first_of(one, MEASURED, tokenizer) for one in lessons.general.sources)
    )
    device = str(next(net.parameters()).device)
    short = replace(how, max_length=min(how.max_length, 256))
    net.eval()
    return hold_out(net, Clm(), some, Kit(short, tokenizer, device))


def _forgotten(project: Project, before: "HeldOut | None", after: "HeldOut | None") -> dict[str, Any] | None:
    """Bits for each byte of general text before and after, and their difference on the same rows with its interval."""
    if before is None or after is None or before.bits_per_byte is None or after.bits_per_byte is None:
        return None
    scale = before.bits_per_byte / max(before.loss, 1e-9)
    count = len(before.groups)
    gaps = [(new - old) * scale for old, new in zip(before.groups, after.groups, strict=True)]

    def told(value: float, spread: Sequence[float]) -> dict[str, float]:
        mean = sum(spread) / count
        error = math.sqrt(sum((one - mean) ** 2 for one in spread) / max(1, count - 1) / count)
        half = student(count - 1) * error if count > 1 else math.inf
        return {"value": value, "low": value - half, "high": value + half, "n": count}

    return {
        "probe": f"bits for each byte of {project.data.general}, which was not learnt; lower is better",
        "before": told(before.bits_per_byte, [one * scale for one in before.groups]),
        "after": told(after.bits_per_byte, [one * scale for one in after.groups]),
        "drop": told(after.bits_per_byte - before.bits_per_byte, gaps),
    }


def _facts(outcome: "Outcome", tuning: tuple[str, Any]) -> dict[str, Any]:
    """What is recorded of a training."""
    from dragoman.train.anatomy import fold_learning

    names = ("best_step", "steps", "planned", "losses", "stretch", "seconds", "tokens", "memory", "learnt")
    facts = {name: getattr(outcome, name) for name in (*names, "cut", "dropped")}
    facts["losses"] = list(outcome.losses)
    return {
        **facts,
        "best": dict(outcome.best),
        "history": [dict(point) for point in outcome.history],
        "order": outcome.chain,
        "skipped": outcome.skipped,
        "weights": sum(weight.numel() for weight in outcome.net.parameters()),
        "learning": fold_learning(outcome.net),
        "tuning": {"name": tuning[0], **dump(tuning[1])},
    }


def _keep(
    project: Project,
    run: Run,
    outcome: "Outcome",
    objective: Any,
    tuning: tuple[str, Any],
    tokenizer: "Tokenizer",
    base: tuple[str, Path],
    lessons: Lessons,
    before: "HeldOut | None",
    how: How,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Save the model in every form it has, assert that they answer alike, and measure what was forgotten."""
    from dragoman.models.source import fingerprint
    from dragoman.nn.store import save_lm
    from dragoman.stages.writer_forms import PROBE, Probe, gap_of, parity_of
    from dragoman.train.adapter import write_adapter

    name, made = tuning
    net = outcome.net.eval()
    rounded = bool(getattr(made, "rounds", False))
    after = None if rounded else _general(net, lessons, tokenizer, how)  # where it stands, which may be a GPU
    net = net.cpu()
    probe = Probe(tokenizer, lessons.validation[:PROBE] or lessons.train[:PROBE])
    forms = {"trained": probe.logits(net)}
    if rounded:  # what was learnt joins the weights of before the rounding
        made = replace(made, base=str(base[1]))
    thin, whole = name not in ("full", "scratch", "layers", "head"), getattr(made, "merges", True)
    place = base[0] if base[0].startswith(("builtin:", "hf:")) else str(base[1].absolute())
    card = {"kind": "writer", "labels": [], "multi_label": False, "base": place, "tuning": name, **known(project)}
    card |= {"adapter": not whole, "fingerprint": "" if whole else fingerprint(base[1])}
    published = [MODEL]
    if thin and whole:

        def beside(stage: Path) -> None:
            write_adapter(net, made, stage, base[0])
            tokenizer.save(stage)

        durable.publish(run.folder / "adapter", beside)
        published.append("adapter")
    if whole:
        net = made.merge(net).eval()
        forms["merged"] = probe.logits(net)
    # In four bits it learnt beside rounded weights: what is kept, measured and served is the merged model.
    rounding = gap_of(forms.pop("trained"), forms["merged"]) if rounded else None

    def fill(stage: Path) -> None:
        if whole:
            save_lm(net, tokenizer, stage)
        else:
            write_adapter(net, made, stage, base[0])
            tokenizer.save(stage)
        write_card(stage, card)

    durable.publish(run.folder / MODEL, fill)
    after = after or _general(net, lessons, tokenizer, how)
    parity = parity_of(run.folder, forms, probe.words(net), probe, base[1], thin, whole)
    size = sum(file.stat().st_size for file in (run.folder / MODEL).iterdir())
    facts = {"parity": parity, "forgetting": _forgotten(project, before, after), "bytes": size, "rounding": rounding}
    return facts, tuple(published)
