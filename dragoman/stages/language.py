"""Train one language model on a tokenised corpus: an objective of clm, mlm or span, through the one loop.

It can be killed at any instant; the same command goes on and ends bit for bit as if it had never stopped.
"""

import copy
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dragoman.core import durable
from dragoman.core.config import dump
from dragoman.core.errors import UserError
from dragoman.core.runs import Run
from dragoman.core.sampling import Sampling
from dragoman.core.shards import Corpus, Documents
from dragoman.core.show import Tick, silent
from dragoman.core.sizing import reset_peak_memory
from dragoman.core.types import Message
from dragoman.evals.interval import student
from dragoman.stages.assistants import MODEL, write_card
from dragoman.stages.board_sink import tensorboard_sink
from dragoman.train.doors import OBJECTIVES, TUNINGS, How

if TYPE_CHECKING:
    from dragoman.nn.arch import Arch
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.held_out import HeldOut
    from dragoman.train.packing import Texts
    from dragoman.train.session import Effort, Outcome
    from dragoman.train.world import World

__all__ = ["KINDS", "Task", "agree", "first_of", "kind_of", "measured", "net_of", "texts_of", "train_language"]

KINDS = {"clm": "decoder", "mlm": "encoder", "span": "encoder-decoder"}
SAMPLES = "samples.jsonl"
WRITTEN = 60  # tokens of a sample
PARITY = 1e-5  # logits of the saved model against those of the trained one, over the largest


@dataclass(frozen=True)
class Task:
    """One training as it is to be done, every choice made. `base` is a folder to go on from, or empty."""

    objective: str
    how: How
    arch: "Arch"
    base: str = ""
    objective_settings: Mapping[str, Any] = field(default_factory=dict)
    tuning: str = "scratch"
    tuning_settings: Mapping[str, Any] = field(default_factory=dict)
    prompts: tuple[str, ...] = ()
    "texts that a decoder goes on with at every measurement"
    measured_tokens: int = 200_000
    "at most so many held-out tokens are read while it learns; at the end all are"


def kind_of(objective: str) -> str:
    """Which kind of model an objective needs. Raises UserError where it does not learn from texts."""
    OBJECTIVES.kind(objective)
    kind = KINDS.get(objective, "")
    if not kind:
        known = ", ".join(KINDS)
        raise UserError(f"{objective} does not learn from plain texts", f"choose one that does: objective={known}")
    return kind


def train_language(
    run: Run,
    task: Task,
    corpus: Corpus,
    said: Callable[[str], None],
    tick: Tick = silent,
    effort: "Effort | None" = None,
    tensorboard: str = "",
    world: "World | None" = None,
) -> dict[str, Any] | None:
    """Learn in the run's folder, measure on all held-out texts, save the model there; what is recorded of it.

    The folder `training` in it holds the way there, until the run is finished and the caller removes it.
    Of several processes the first does all but the learning alone; the others have None to say. Raises UserError where
    the tokenizer does not go with the model, or there is nothing to measure on.
    """
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.session import learn
    from dragoman.train.watch import Watch

    if world is not None and world.sharded:
        task = replace(task, prompts=())  # a shared net cannot be copied and packed for answering
    tokenizer = Tokenizer(corpus.tokenizer)
    tokenizer.max_length = task.how.max_length
    net = net_of(task, tokenizer)
    objective = OBJECTIVES.make(task.objective, task.objective_settings, "objective")
    tuning = TUNINGS.make(task.tuning, task.tuning_settings, "tuning")
    texts, unseen = texts_of(corpus)
    reset_peak_memory()
    with tensorboard_sink(tensorboard) as log:
        outcome = learn(
            net,
            tokenizer,
            objective,
            tuning,
            texts,
            task.how,
            run.folder / "training",
            _measure(run, task, objective, tokenizer, unseen),
            Watch("validation", higher=False),
            said,
            tick,
            effort,
            log,
            world,
        )
    if world is not None and not world.first:
        return None
    tick(1.0, "measuring on all held-out texts and saving")
    facts = _facts(outcome)
    net = tuning.merge(outcome.net).eval()
    if world is not None and world.sharded:  # it was put together on the CPU
        net = net.to(world.device)
    found = measured(net, objective, unseen, tokenizer, task.how)
    facts["held_out"] = _held_out(found, unseen)
    facts |= _keep(run, task, net, tokenizer)
    facts["samples"] = _samples(run)
    return facts


def net_of(task: Task, tokenizer: "Tokenizer") -> Any:
    """The model to train: one that has learnt nothing, or that of a folder, whose tokenizer must be the corpus's."""
    from dragoman.nn.fresh import fill
    from dragoman.nn.store import build_lm, load_lm

    if not task.base:
        net = build_lm(task.arch)
        fill(net, task.arch, task.how.seed, still=True)  # worth 0.01 nats after 200 steps (benchmarks/pretraining)
        tokenizer.fit(task.arch)
        return net
    agree(task.base, tokenizer)
    return load_lm(Path(task.base))


def agree(base: str, tokenizer: "Tokenizer") -> None:
    """Raise UserError where a model reads texts otherwise than they were tokenised."""
    from dragoman.nn.store import read_arch
    from dragoman.nn.tokenizer import Tokenizer

    words = ["Every token must mean the same: 1, 2, 345.", "naïve 日本"]
    if Tokenizer(Path(base)).plain(words) != tokenizer.plain(words):
        raise UserError(
            f"the corpus was tokenised otherwise than {base} does",
            f"build it with the model's own tokenizer: dragoman corpus SOURCE tokenizer={base}",
        )
    tokenizer.fit(read_arch(Path(base)))


def texts_of(corpus: Corpus) -> tuple["Texts", "Texts"]:
    """What is learnt from, and what is measured on. Raises UserError where there is nothing to measure on."""
    from dragoman.train.packing import Texts

    parts = corpus.part("validation")
    held = tuple(part for part in parts if part.tokens)
    if not held:
        raise UserError(
            f"{corpus.folder} holds no validation texts, so nothing could be proven",
            "build it again with a larger share: dragoman corpus SOURCE held_out=0.1",
        )
    kept = [(part, weight) for part, weight in zip(corpus.part("train"), corpus.weights, strict=True) if part.tokens]
    whole = sum(weight for _, weight in kept)
    shares = tuple(weight / whole for _, weight in kept)
    return Texts(tuple(part for part, _ in kept), shares), Texts(held, tuple(1 / len(held) for _ in held))


def _measure(
    run: Run, task: Task, objective: Any, tokenizer: "Tokenizer", unseen: "Texts"
) -> Callable[[Any], Mapping[str, float]]:
    """What a measurement shows while it learns: the loss on the first held-out texts, and how it goes on with the
    prompts, which is kept beside the run."""
    each = max(1, task.measured_tokens // len(unseen.sources))
    some = replace(unseen, sources=tuple(first_of(part, each, tokenizer) for part in unseen.sources))

    def measure(net: Any) -> Mapping[str, float]:
        found = measured(net, objective, some, tokenizer, task.how)
        for prompt in task.prompts if net.arch.kind == "decoder" else ():
            line = {"validation": found.loss, "prompt": prompt, "text": _written(net, tokenizer, prompt)}
            durable.append(run.folder / SAMPLES, json.dumps(line, ensure_ascii=False))
        bits = {} if found.bits_per_byte is None else {"bits_per_byte": found.bits_per_byte}
        return {"validation": found.loss, **bits}

    return measure


def first_of(documents: Documents, tokens: int, tokenizer: "Tokenizer") -> Documents:
    """The first documents of a source, up to so many tokens; of a longer first one its beginning."""
    if documents.tokens <= tokens:
        return documents
    count = int((documents.ends <= tokens).sum())
    ends, sizes = documents.ends[:count], documents.sizes[:count]
    if not count:
        text = tokenizer.decode(documents.read(0, tokens).tolist())
        ends, sizes = np.array([tokens]), np.array([len(text.encode())])
    return replace(documents, tokens=int(ends[-1]), bytes=int(sizes.sum()), ends=ends, sizes=sizes)


def measured(net: Any, objective: Any, texts: "Texts", tokenizer: "Tokenizer", how: How) -> "HeldOut":
    """The net on texts it never learnt from, where it stands."""
    from dragoman.train.doors import Kit
    from dragoman.train.held_out import hold_out

    device = str(next(net.parameters()).device)
    return hold_out(net, objective, texts, Kit(how, tokenizer, device))


def _written(net: Any, tokenizer: "Tokenizer", prompt: str) -> str:
    """How a decoder goes on with a prompt, at temperature 0.8, the same for the same weights."""
    from dragoman.models.local import LocalLM

    device = next(net.parameters()).device
    how = Sampling(temperature=0.8, top_p=0.95, max_tokens=WRITTEN, seed=0)
    copied = copy.deepcopy(net)  # it is packed for answering, and could no longer learn
    return LocalLM(copied, tokenizer, device=device).generate([(Message("user", prompt),)], how)[0].text


def _samples(run: Run) -> list[dict[str, Any]]:
    """What was written at each measurement; one that a kill made do twice stands once."""
    file = run.folder / SAMPLES
    # Not by splitlines: a text may hold other ends of a line, such as U+2028, which JSON leaves as they are.
    lines = file.read_text(encoding="utf-8").split("\n") if file.exists() else []
    return [json.loads(line) for line in dict.fromkeys(line for line in lines if line.strip())]


def _held_out(found: "HeldOut", texts: "Texts") -> dict[str, Any]:
    """The figures of the end, with the interval that neighbouring rows of texts give (Student's t over groups)."""
    groups = found.groups
    mean = sum(groups) / len(groups)
    spread = math.sqrt(sum((one - mean) ** 2 for one in groups) / max(1, len(groups) - 1) / len(groups))
    half = student(len(groups) - 1) * spread if len(groups) > 1 else 0.0

    def told(value: float, scale: float) -> dict[str, float]:
        low = max(0.0, value - half * scale)  # nothing is known better than for certain
        return {"value": value, "low": low, "high": value + half * scale, "n": len(groups)}

    figures: dict[str, Any] = {"loss": told(found.loss, 1.0), "labels": found.labels, "bytes": texts.bytes}
    if found.bits_per_byte is not None:
        figures["bits_per_byte"] = told(found.bits_per_byte, found.bits_per_byte / max(found.loss, 1e-9))
    return figures


def _keep(run: Run, task: Task, net: Any, tokenizer: "Tokenizer") -> dict[str, Any]:
    """Save the model as transformers opens it, open it again and hold its answers against the trained one's."""
    from dragoman.nn.store import load_lm, save_lm

    net = net.cpu()
    parts = {"encoder": "masked language model", "decoder": "language model"}

    def fill(stage: Path) -> None:
        save_lm(net, tokenizer, stage)
        card = {"kind": parts.get(net.arch.kind, net.arch.kind), "objective": task.objective, "base": task.base}
        write_card(stage, {**card, "max_length": task.how.max_length})

    durable.publish(run.folder / MODEL, fill)
    gap = _gap(net, load_lm(run.folder / MODEL), task.how)
    if gap > PARITY:
        raise RuntimeError(f"parity broke: the saved model's logits differ from the trained one's by {gap:.2g}")
    size = sum(file.stat().st_size for file in (run.folder / MODEL).iterdir())
    pair = {"pair": "trained = saved", "difference": gap, "tolerance": PARITY, "same_answers": True}
    return {"parity": [pair], "bytes": size, "parameters": sum(weight.numel() for weight in net.parameters())}


def _gap(net: Any, saved: Any, how: How) -> float:
    """How far the logits of two models lie apart on one row of ids, over the largest logit."""
    import torch

    dice = torch.Generator().manual_seed(0)
    ids = torch.randint(net.arch.vocabulary, (1, min(how.max_length, 64)), generator=dice)  # [1, s]
    given = (ids, None, ids) if net.arch.kind == "encoder-decoder" else (ids,)
    with torch.no_grad():
        one, other = net(*given), saved(*given)  # [1, s, v]
    return float((one - other).abs().max() / one.abs().max())


def _facts(outcome: "Outcome") -> dict[str, Any]:
    """What is recorded of a training."""
    facts: dict[str, Any] = dump(replace(outcome, net=None))
    return {name: value for name, value in facts.items() if name not in ("net", "cut")}
