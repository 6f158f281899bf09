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
from dragoman.core.errors import UserError
from dragoman.core.project import Project
from dragoman.core.types import Example
from dragoman.evals.interval import student
from dragoman.stages.assistants import MODEL, write_card
from dragoman.stages.job import Job
from dragoman.stages.teach import teacher_answers
from dragoman.stages.writing import general_texts, known, open_tokenizer, taught, told_of
from dragoman.train.doors import OBJECTIVES, How, Kit

if TYPE_CHECKING:
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.held_out import HeldOut
    from dragoman.train.packing import Texts

__all__ = ["Lessons", "general_loss", "keep_writer", "lessons_of", "loss_of", "train_writer"]

VALIDATED = 200  # rows of validation that are measured while it learns
WHOLE = ("full", "head", "layers", "scratch")  # tunings that leave nothing to be kept by itself
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
    told = told_of(project)
    rows = (taught(train, *told), taught(validation, *told))
    if kind != "decoder":
        return Lessons(*rows)
    return Lessons(*rows, *general_texts(project, tokenizer))


def train_writer(job: Job) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Learn in the run's folder and keep the model there; what is recorded of it, and the folders that are published.

    Raises UserError where the data, the template or the tuning do not go with the model.
    """
    from dragoman.nn.store import load_lm
    from dragoman.train.fitting import Lesson

    net: Any = load_lm(job.base)
    if "preferences" in job.objective.needs and net.arch.kind != "decoder":
        why = f"preferences are learnt by a decoder, and {job.model} is an {net.arch.kind}"
        raise UserError(why, "name another model")
    first = taught(job.train[:1], *told_of(job.project))
    tokenizer = open_tokenizer(job.base, net.arch, job.project, first, job.said)
    if hasattr(job.tuning, "begun"):  # a prompt that learns from words on: which tokens these are is known here
        job = replace(job, tuning=job.tuning.begun(tokenizer))
    # What learns in front of a text takes as many positions of it.
    room = net.arch.longest - int(getattr(job.tuning, "tokens", 0))
    job = replace(
        job, how=replace(job.how, max_length=min(job.how.max_length, room) if room > 0 else job.how.max_length)
    )
    lessons = lessons_of(job.project, job.train, job.validation, tokenizer, net.arch.kind)
    answers = teacher_answers(job.objective, lessons.train, job.run.folder / "teacher", job.said, job.tick)
    lessons = replace(lessons, train=answers)
    lesson = Lesson(lessons.train, lessons.replayed if getattr(job.objective, "replay", 0.0) else None)
    job.tick(0.0, "measuring the untouched model on general texts")
    before = general_loss(net, lessons, tokenizer, job.how)
    measure = loss_of(net, job.objective, lessons, tokenizer, job.how)
    outcome = job.learn(net, tokenizer, lesson, measure, "loss", higher=False)
    record = job.record(outcome)  # before the net is packed for answering, and has fewer weights to count
    kept, published = keep_writer(job, outcome.net.eval(), tokenizer, lessons, before)
    return {**record, **kept}, published


def loss_of(
    net: Any, objective: Any, lessons: Lessons, tokenizer: "Tokenizer", how: How
) -> Callable[[Any], Mapping[str, float]]:
    """What a measurement shows while it learns: nats for each token of the answers of validation, or, where pairs are
    learnt, what each costs and how many are told apart."""
    from dragoman.train.choices import Choices
    from dragoman.train.feedback import Feedback
    from dragoman.train.fitting import Lesson
    from dragoman.train.held_out import hold_lesson, hold_preferences

    if hasattr(objective, "of"):  # how sets are mixed, or who answered, changes nothing of what is measured
        objective = OBJECTIVES.make(objective.of, {}, "objective")
    plain = replace(objective, **{name: 0.0 for name in ("neftune", "replay", "smoothing") if hasattr(objective, name)})
    # Some are left out where they are too long; what a reference would read for nothing is not encoded at all.
    fitted = plain.encode(net, Lesson(lessons.validation[: 2 * VALIDATED]), Kit(how, tokenizer))

    def measure(now: Any) -> Mapping[str, float]:
        device = str(next(now.parameters()).device)
        if isinstance(fitted, Choices | Feedback):
            return hold_preferences(now, plain, fitted, Kit(how, tokenizer, device), VALIDATED)
        found = hold_lesson(now, plain, fitted, Kit(how, tokenizer, device), VALIDATED)
        return {"loss": found.loss}

    return measure


def general_loss(net: Any, lessons: Lessons, tokenizer: "Tokenizer", how: How) -> "HeldOut | None":
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


def keep_writer(
    job: Job, net: Any, tokenizer: "Tokenizer", lessons: Lessons, before: "HeldOut | None"
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Save the model in every form it has, assert that they answer alike, and measure what was forgotten."""
    from dragoman.models.source import fingerprint
    from dragoman.nn.store import save_lm
    from dragoman.stages.writer_forms import PROBE, Probe, gap_of, parity_of
    from dragoman.train.adapter import write_adapter

    rounded, whole = bool(getattr(job.tuning, "rounds", False)), getattr(job.tuning, "merges", True)
    after = None if rounded else general_loss(net, lessons, tokenizer, job.how)  # where it stands, which may be a GPU
    net = net.cpu()
    probe = Probe(tokenizer, lessons.validation[:PROBE] or lessons.train[:PROBE])
    forms = {"trained": probe.logits(net)}
    if rounded:  # what was learnt joins the weights of before the rounding
        job = replace(job, tuning=replace(job.tuning, base=str(job.base)))
    thin, published = job.tuning_name not in WHOLE, [MODEL]
    if thin and whole:
        published.append(job.keep_adapter(net, tokenizer).name)
    if whole:
        net = job.tuning.merge(net).eval()
        forms["merged"] = probe.logits(net)
    # In four bits it learnt beside rounded weights: what is kept, measured and served is the merged model.
    rounding = gap_of(forms.pop("trained"), forms["merged"]) if rounded else None

    def fill(stage: Path) -> None:
        if whole:
            save_lm(net, tokenizer, stage)
        else:
            write_adapter(net, job.tuning, stage, job.model)
            tokenizer.save(stage)
        write_card(stage, card)

    place = job.model if job.model.startswith(("builtin:", "hf:")) else str(job.base.absolute())
    card = {"kind": "writer", "labels": [], "multi_label": False, "base": place, "tuning": job.tuning_name}
    from dragoman.stages.guarded import kept

    card |= {**known(job.project), "around": kept(job.project, job.train), "adapter": not whole}
    card["fingerprint"] = "" if whole else fingerprint(job.base)
    model = job.run.folder / MODEL
    durable.publish(model, fill)
    after = general_loss(net, lessons, tokenizer, job.how) if rounded else after
    parity = parity_of(job.run.folder, forms, probe.words(net), probe, job.base, thin, whole)
    size = sum(file.stat().st_size for file in model.iterdir())
    facts = {"parity": parity, "forgetting": _forgotten(job.project, before, after), "bytes": size}
    return {**facts, "rounding": rounding}, tuple(published)
