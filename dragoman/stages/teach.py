"""The answers of a teacher, from which a smaller model is to learn: asked for once, kept, and sifted.

Covered: a kill at any instant, after which the same call goes on with the answers it has; answers that did not end, say
nothing or go round in circles. Not covered: answers that are wrong, where the examples have none to compare with.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from dragoman.core import durable
from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.show import Tick, silent
from dragoman.core.types import Answer, Example
from dragoman.metrics.token_f1 import TokenF1

__all__ = ["Said", "fault", "teach", "teacher_answers"]

KEPT = "answers.jsonl"
AT_ONCE = 64  # questions between two lines on the disk: what a kill can cost
CIRCLING = 0.5  # of the runs of an answer this share stood in it before; prose has 0 to 0.1
WORDS, LETTERS = 4, 16  # of a run, as in seq-rep-4 (Welleck et al. 2020), and where no spaces part words


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: its text, why it ended, and the mean log-probability of its tokens, where that is known."""

    text: str
    finish: str
    score: float | None = None


def teacher_answers(
    objective: Any, examples: Sequence[Example], folder: Path, said: Callable[[str], None], tick: Tick = silent
) -> Sequence[Example]:
    """The examples as the objective wants them: with its teacher's answers where it needs one, else as they are.

    The examples are those that the student will read, instruction included. Raises UserError where no teacher is named,
    it cannot be opened, or none of its answers can be learnt.
    """
    if "teacher" not in objective.needs:
        return examples
    if not objective.teacher:
        raise UserError("no teacher is named", "name one: objective.teacher=hf:Qwen/Qwen3-4B")
    from dragoman.models.open import open_lm
    from dragoman.models.source import fingerprint, resolve

    remote = str(objective.teacher).partition(":")[0] in ("openai", "fake")
    name = objective.teacher if remote else fingerprint(resolve(objective.teacher))
    lm = open_lm(objective.teacher)
    return teach(examples, lm, objective.sampling, folder, tick, said, objective.keep, name)


def teach(
    examples: Sequence[Example],
    lm: LM,
    how: Sampling,
    folder: Path,
    tick: Tick,
    said: Callable[[str], None],
    keep: Literal["best", "all"] = "best",
    name: str = "",
) -> list[Example]:
    """The examples with the teacher's answers in the place of their own, in their order; those without one left out.

    What was answered stands in `folder`/answers.jsonl: the same call after a kill, with the same teacher `name` and the
    same settings, asks only for the rest. With `keep=all` an example becomes one for each different answer. An example
    without a prompt stays as it is. Raises UserError where none of the answers can be learnt.
    """
    if how.n > 1 and keep == "best" and how.beams == 1:
        how = replace(how, logprobs=max(1, how.logprobs))  # the teacher's own score
    keys = [_key(example, how, name) if example.prompt else "" for example in examples]
    answers = _asked(examples, keys, lm, how, folder / KEPT, tick)
    found: list[Example] = []
    faults: Counter[str] = Counter()
    for example, key in zip(examples, keys, strict=True):
        if not key:
            found.append(example)
            continue
        wrong = [fault(one) for one in answers[key]]
        faults.update(one for one in wrong if one)
        good = [one for one, why in zip(answers[key], wrong, strict=True) if not why]
        texts = list(dict.fromkeys(one.text.strip() for one in (good if keep == "all" else _best(good, example))))
        found += [_answered(example, text, place if len(texts) > 1 else None) for place, text in enumerate(texts)]
    left = f"; left out: {', '.join(f'{count} {why}' for why, count in faults.most_common())}" if faults else ""
    said(f"the teacher answered {sum(bool(key) for key in keys)} questions: {len(found)} examples{left}")
    if not found:
        raise UserError(
            f"none of the teacher's {sum(map(len, answers.values()))} answers can be learnt{left}",
            "give it more room: objective.max_tokens=1024, or look at what it says with dragoman generate",
        )
    return found


def fault(one: Said) -> str:
    """Why an answer is not to be learnt; empty where it may."""
    text = one.text.strip()
    if one.finish != "stop":
        return "that did not end"
    if not text:
        return "empty"
    # Many characters without a space are no words: Chinese, or one letter again and again.
    words = text.split()
    spaced = len(text) < LETTERS * len(words)
    circling = _again(words, WORDS) if spaced else _again(list(text), LETTERS)
    return "that repeat themselves" if circling > CIRCLING else ""


def _again(parts: Sequence[str], size: int) -> float:
    """The share of runs of `size` parts that stood there before."""
    runs = [tuple(parts[place : place + size]) for place in range(len(parts) - size + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def _best(answers: Sequence[Said], example: Example) -> Sequence[Said]:
    """The one that shares most words with the example's own answers (sequence-level interpolation, Kim and Rush 2016),
    of equal ones, and where there are none, the one that the teacher finds most probable a token; the first one."""

    def worth(one: Said) -> tuple[float, float]:
        agreed = float(TokenF1().measure(Answer(one.text), example.answers)[0]) if example.answers else 0.0
        return agreed, -math.inf if one.score is None else one.score

    return [max(answers, key=worth)] if answers else []


def _answered(example: Example, text: str, place: int | None) -> Example:
    meta: Mapping[str, Any] = example.meta
    if place is not None and "id" in meta:
        meta = {**meta, "id": f"{meta['id']}/{place}"}
    return replace(example, answers=(text,), rejected="", meta=meta)


def _key(example: Example, how: Sampling, name: str) -> str:
    """What an answer is filed under: who was asked, how, and what."""
    asked = json.dumps([name, repr(how), [[one.role, one.content] for one in example.prompt]])
    return hashlib.sha256(asked.encode()).hexdigest()


def _asked(
    examples: Sequence[Example], keys: Sequence[str], lm: LM, how: Sampling, file: Path, tick: Tick
) -> dict[str, list[Said]]:
    """The answers to every question, those of before included; equal questions are asked once."""
    prompts = {key: example.prompt for key, example in zip(keys, examples, strict=True) if key}
    found = {key: answers for key, answers in _kept(file).items() if key in prompts}
    missing = [key for key in prompts if key not in found]
    for start in range(0, len(missing), AT_ONCE):
        tick(len(found) / len(prompts), f"{len(found):,} of {len(prompts):,} questions answered by the teacher")
        part = missing[start : start + AT_ONCE]
        written = lm.generate([prompts[key] for key in part], how)
        for place, key in enumerate(part):
            found[key] = [_said(one) for one in written[place * how.n : (place + 1) * how.n]]
            line = {"key": key, "answers": [[one.text, one.finish, one.score] for one in found[key]]}
            durable.append(file, json.dumps(line, ensure_ascii=False))
    return found


def _said(one: Completion) -> Said:
    """An answer with its score: the mean over its tokens."""
    score = math.fsum(token.logprob for token in one.logprobs) / len(one.logprobs) if one.logprobs else None
    return Said(one.text, one.finish, score)


def _kept(file: Path) -> dict[str, list[Said]]:
    """The answers that are on the disk; a line that a power cut tore counts as none."""
    found: dict[str, list[Said]] = {}
    for line in file.read_bytes().splitlines() if file.is_file() else []:
        try:
            one = json.loads(line)
            found[one["key"]] = [Said(*answer) for answer in one["answers"]]
        except (ValueError, KeyError, TypeError):
            continue
    return found
