"""Learns four rows by heart and asks for them: the quickest proof that a model can learn its data and can stop.

It goes the whole way of a training: objective, tuning, loop, and then the model that would be served. What no look at
the data finds stops here: a rate that is too low, weights that do not move, an end that is never written.
"""

import copy
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.show import Tick, silent
from dragoman.core.types import Example
from dragoman.data.check import Finding
from dragoman.nn.tokenizer import Tokenizer
from dragoman.stages.check_marks import Failed, Reading, Taught, rows_of, sample_of
from dragoman.stages.check_tokens import compare_labels
from dragoman.train.doors import How, Objective, Tuning

__all__ = ["overfit"]

ROWS = 4
STEPS = 80
FALL = 0.1  # the share of its first value that the loss of four rows falls below where anything is learnt
LONGEST = 4096  # tokens of a row, where the model itself sets no bound
BY_HEART = 0.02  # nats a token: a row of 50 tokens is then written without a mistake in most cases
FASTER = (1.0, 5.0, 0.2)  # times the rate that was asked for, until one learns: it may be too low, or too high
NOISE = ("neftune", "replay", "smoothing")


def overfit(
    net: Any,
    tokenizer: Tokenizer,
    objective: Objective,
    tuning: Tuning,
    examples: Sequence[Example],
    how: How,
    reading: Reading,
    tick: Tick = silent,
    steps: int = STEPS,
) -> list[Finding]:
    """Train a copy of `net` on the four shortest examples and let it answer them.

    Findings: `does-not-learn`, `does-not-stop`, `answers-otherwise` (errors), those of the labels that the objective
    made (`prompt-learnt`, `stop-token-untrained`, `labels-all-masked`), or the note `learns-and-stops`. The tokenizer
    is made to stop on what ends the answers, as a training does.
    """
    whole = replace(reading, max_length=net.arch.longest or LONGEST)
    rows = _shortest(tokenizer, examples, whole)
    if not rows:
        said = "no example has a prompt and an answer that the model reads whole, so none can be learnt by heart"
        return [Finding("labels-all-masked", "error", 0, said, hint="look at the rows: data.source=PATH")]
    how = replace(how, max_length=max(how.max_length, *(len(row.ids) for row in rows)))
    for row in rows:
        if row.stop is not None:
            tokenizer.stop_on(row.stop)
    plain = _without_noise(objective)
    best = (float("nan"), float("inf"))
    first, last, made, found, tried = float("nan"), float("nan"), None, list[Finding](), list[str]()
    for number, faster in enumerate(FASTER):
        rate = (how.rate or tuning.rate) * faster
        short = replace(how, steps=steps, batch=ROWS, accumulation=1, average=0.0, decay=0.0, rate=rate, warmup=0.05)
        tried.append(f"{rate:g}")
        try:
            made, labels, first, last = _learn(net, tokenizer, plain, tuning, rows, short, tick, number)
        except UserError as error:
            if number:  # the higher rate broke it, which says nothing about the lower one
                continue
            return [Finding("does-not-learn", "error", ROWS, f"four rows cannot be learnt: {error}", hint=error.hint)]
        found = compare_labels(tokenizer, rows, labels) if len(labels) == len(rows) else []
        best = min(best, (first, last), key=lambda losses: losses[1])
        if found or last <= FALL * first:
            break
    if found:
        return found
    if not last <= FALL * first:
        fell = f"from {best[0]:.2f} to {best[1]:.2f}"
        said = f"{steps} steps on {len(rows)} rows took the loss {fell} only, at rates {_and(tried)}"
        hint = "a higher rate, or more that learns: train.rate=1e-3 tuning=full"
        return [Finding("does-not-learn", "error", len(rows), said, sample_of(rows[0].example), hint)]
    tick(0.9, "asking for the four rows")
    return _answered(made, tokenizer, tuning, rows, (first, last), tried)


def _shortest(tokenizer: Tokenizer, examples: Sequence[Example], reading: Reading) -> list[Taught]:
    """The shortest rows that are learnt whole, no two with the same prompt."""
    found: dict[tuple[int, ...], Taught] = {}
    for example in examples[:400]:
        rows = rows_of(tokenizer, example, reading) if example.prompt else []
        if isinstance(rows, Failed) or len(rows) != 1 or rows[0].cut or not rows[0].stops:
            continue
        found.setdefault(rows[0].ids[: rows[0].border], rows[0])
    return sorted(found.values(), key=lambda row: len(row.ids))[:ROWS]


def _without_noise(objective: Any) -> Any:
    """The objective without what keeps a model from learning by heart."""
    known = {item.name for item in fields(objective)}
    return replace(objective, **{name: 0.0 for name in NOISE if name in known})


def _learn(
    net: Any,
    tokenizer: Tokenizer,
    objective: Any,
    tuning: Tuning,
    rows: Sequence[Taught],
    how: How,
    tick: Tick,
    number: int,
) -> tuple[Any, list[list[int]], float, float]:
    """A copy of the net after its steps, the ids that were to be predicted of each row, the first loss and the last."""
    from dragoman.train.fitting import Lesson
    from dragoman.train.loop import begin, fit

    training = begin(copy.deepcopy(net), tokenizer, objective, tuning, Lesson([row.example for row in rows]), how)
    written = getattr(training.encoded, "examples", ())
    labels = [[int(label) for label in one.labels if label >= 0] for one in written]
    first = last = float("nan")
    for step in fit(training):
        first, last = (step.loss if step.number == 1 else first), step.loss
        share = (number + step.number / how.steps) / len(FASTER)
        tick(0.9 * share, f"{len(rows)} rows by heart: loss {last:.2f} from {first:.2f}, step {step.number}")
        if last < BY_HEART / 2:
            break
    return training.net, labels, first, last


def _answered(
    net: Any,
    tokenizer: Tokenizer,
    tuning: Tuning,
    rows: Sequence[Taught],
    losses: tuple[float, float],
    tried: list[str],
) -> list[Finding]:
    """What the model that learnt the rows says to their prompts: it must end by itself, and in the words it learnt."""
    from dragoman.models.local import LocalLM

    try:
        net = tuning.merge(net)
    except UserError:  # what cannot be merged answers as it is
        net.eval()
    wanted = [tokenizer.decode(row.ids[row.border : -1]) for row in rows]
    room = 2 * max(len(row.ids) - row.border for row in rows) + 8
    answers = LocalLM(net, tokenizer).generate([list(row.example.prompt) for row in rows], Sampling(max_tokens=room))
    endless = [row for row, answer in zip(rows, answers, strict=True) if answer.finish != "stop"]
    if endless:
        said = f"{len(endless)} of {len(rows)} answers that were learnt by heart did not end within {room} tokens"
        hint = "look at the stop token in dragoman check: models.template=instruct ends with the model's own"
        return [Finding("does-not-stop", "error", len(endless), said, sample_of(endless[0].example), hint)]
    pairs = zip(rows, answers, wanted, strict=True)
    other = [(row, answer.text) for row, answer, text in pairs if answer.text.split() != text.split()]
    if other and losses[1] < BY_HEART:
        said = (
            f"{len(other)} of {len(rows)} answers that were learnt by heart come out otherwise, the first as "
            f"{other[0][1][:80]!r}: what answers does not read what was learnt"
        )
        hint = "choose another chat template: models.template=instruct"
        return [Finding("answers-otherwise", "error", len(other), said, sample_of(other[0][0].example), hint)]
    said = f"{len(rows)} rows were learnt by heart (loss {losses[0]:.2f} to {losses[1]:.3f}), and each answer stopped"
    if len(tried) > 1:
        said += f"; at a rate of {tried[-1]}, with {_and(tried[:-1])} so few steps were not enough"
    return [Finding("learns-and-stops", "note", len(rows), said)]


def _and(words: Sequence[str]) -> str:
    return " and ".join(words)
