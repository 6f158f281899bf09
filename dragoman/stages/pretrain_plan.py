"""Choose what is not given: how large a model, how long its rows, how many steps fit into the time, on this machine."""

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from dragoman.core.config import build
from dragoman.core.errors import UserError
from dragoman.core.shards import Corpus
from dragoman.core.show import Tick
from dragoman.core.sizing import parse_bytes, peak_memory, reset_peak_memory, show_bytes
from dragoman.nn.activations import Pass
from dragoman.nn.footprint import Learning, training_memory
from dragoman.stages.advise import Wish, advise
from dragoman.stages.language import KINDS
from dragoman.stages.plan_model import Setup, arch_of, read_count
from dragoman.stages.predict import Prediction, Speed, chunked, predict
from dragoman.train.doors import OBJECTIVES, TUNINGS, How

if TYPE_CHECKING:
    from dragoman.nn.arch import Arch
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.machine import Machine

__all__ = ["FAMILIES", "USUAL", "Choice", "Wanted", "choose", "table_rows", "usual_rate"]

FAMILIES = {"clm": "qwen3", "mlm": "bert", "span": "t5"}
PREDICTED = {"clm": 1.0, "mlm": 0.15, "span": 0.2}
USUAL: Mapping[str, Any] = {
    "optimizer": "muon",
    "schedule": "linear",
    "warmup": 0.02,
    "decay": 0.1,
    "beta2": 0.95,
    "average": 0.0,
    "patience": 0,
}
"what pretraining does otherwise than fine-tuning: the rate falls to 0 over the whole run, which needs no average"
TIMED = 4  # real steps that are timed, after one to warm up
TRAINED = 0.9  # the share of the time that steps take; the rest measures and saves
MEASURED = 10  # measurements while it learns
STEPS = 800  # at least so many steps are wanted, as long as one holds enough tokens to keep the machine busy
FEWEST = 4096  # tokens of a step
MEASURING = 0.05  # held-out tokens of all measurements while it learns, a share of those learnt from
LEAST = 8192  # held-out tokens of one measurement
LOOK, GLANCE = 5.0, 0.5  # seconds in which a machine is measured: where its speed is to choose a size, and where not
IDLE = 0.9  # share of the free memory that may be planned with


@dataclass(frozen=True)
class Wanted:
    """What a person asked for; empty and 0 are to be chosen."""

    objective: str
    objective_settings: Mapping[str, Any]
    family: str
    size: str
    model: str
    "a folder to go on from"
    seconds: float
    tokens: str
    memory: str
    train: Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """What is trained, and what it is expected to take."""

    arch: "Arch"
    how: How
    prediction: Prediction
    machine: "Machine"
    memory: int
    "bytes that the process is expected to hold at the peak"
    seconds: float
    "of learning and measuring"
    speed: float
    "tokens a second of the steps that were timed, of all processes"
    peak: float
    "FLOP/s of matrices, of all processes"
    epochs: float
    measured_tokens: int
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """As a record keeps it."""
        return {
            "prediction": dict(self.prediction.facts),
            "machine": asdict(self.machine),
            "memory": self.memory,
            "seconds": self.seconds,
            "speed": self.speed,
            "epochs": self.epochs,
            "measured_tokens": self.measured_tokens,
            "notes": list(self.notes),
        }


def choose(wanted: Wanted, corpus: Corpus, tokenizer: "Tokenizer", tick: Tick, processes: int = 1) -> Choice:
    """Settle everything: measure the machine, size the model, time a few real steps, count the steps that fit.

    Several processes are taken for as many times the speed of this one, and each holds its share of the rows. Raises
    UserError where nothing fits the memory, with the parts of a batch that would.
    """
    from dragoman.train.machine import measure_machine
    from dragoman.train.precision import choose_device, choose_precision

    how: How = build(How, {"batch": 1, **USUAL, **wanted.train}, "train")
    device = choose_device(how.device)
    precision = choose_precision(how.precision, device)
    reset_peak_memory()
    idle = peak_memory() if device == "cpu" else 0  # what the process holds already
    tick(0.1, "measuring this machine")
    machine = measure_machine(device, LOOK if _free(wanted) else GLANCE)
    budget = parse_bytes(wanted.memory, "memory") if wanted.memory else int(machine.memory * IDLE) + idle
    how = replace(how, max_length=_length(wanted, corpus, device))
    site = _Site(corpus, tokenizer, machine, device, budget - idle, processes)
    tick(0.3, "choosing a size")
    arch, how, notes = _sized(wanted, how, site, machine.learning(precision) * processes)
    tick(0.5, "timing real steps")
    speed = _speed(wanted, site, arch, how) * processes
    if _free(wanted):
        reached = speed * predict(arch, _pass(how, arch, site), _learning(how), 1).flops_per_token
        tick(0.7, "choosing a size again, by the speed that was reached")
        arch, how, notes = _sized(wanted, replace(how, accumulation=1), site, reached)
        speed = _speed(wanted, site, arch, how) * processes
    tokens = sum(part.tokens for part in corpus.part("train"))
    steps = _steps(wanted, how, speed, tokens)
    each = how.batch * how.max_length
    epochs, per_epoch = steps * each / max(tokens, 1), max(1, math.ceil(tokens / each))
    every = float(wanted.train.get("every") or max(steps / MEASURED, 1.0) / per_epoch)
    how = replace(how, steps=steps, rate=how.rate or _rate(how, arch), every=every)
    step = _pass(how, arch, site)
    prediction = predict(arch, step, _learning(how), steps, how.accumulation * processes, Speed(tokens=speed))
    if epochs > 4:
        notes = (*notes, f"each text is read {epochs:.0f} times; beyond four, more text would teach more")
    if processes > 1:
        notes = (*notes, f"{processes} processes were planned as {processes} times the speed of one")
    held = max(LEAST, int(MEASURING * steps * each / MEASURED))
    unseen = min(held, sum(part.tokens for part in corpus.part("validation")))
    # A held-out token has no way back, a third of the work, but is computed in float32, and by every process.
    measuring = 3 * speed / processes * machine.learning_fp32 / machine.learning(precision)
    tick(1.0, f"{steps:,} steps of {each:,} tokens")
    return Choice(
        arch=arch,
        how=how,
        prediction=prediction,
        machine=machine,
        memory=idle + prediction.memory.total,
        seconds=steps * each / speed + min(MEASURED, steps) * unseen / measuring,
        speed=speed,
        peak=machine.peak(precision) * processes,
        epochs=epochs,
        measured_tokens=held,
        notes=notes,
    )


@dataclass(frozen=True)
class _Site:
    """Where and on what is trained."""

    corpus: Corpus
    tokenizer: "Tokenizer"
    machine: "Machine"
    device: str
    memory: int
    "bytes there are for the training"
    processes: int


def _sized(wanted: Wanted, how: How, site: _Site, flops: float) -> tuple["Arch", How, tuple[str, ...]]:
    """The shape, the rows of a step and their parts, for a speed of so many FLOP/s."""
    arch, notes = _arch(wanted, how, site, flops)
    how = replace(how, max_length=min(how.max_length, arch.longest))
    return arch, _batched(wanted, how, arch, site), notes


def _free(wanted: Wanted) -> bool:
    return not wanted.model and wanted.size in ("", "auto")


def _length(wanted: Wanted, corpus: Corpus, device: str) -> int:
    """Tokens of a row: 1,024 on a GPU and 256 on a CPU, less where no document is so long."""
    if "max_length" in wanted.train:
        return int(wanted.train["max_length"])
    most = 1024 if device.startswith("cuda") else 256
    longest = max((int((part.ends[1:] - part.ends[:-1]).max(initial=int(part.ends[0]))) for part in corpus.part("train")
                   if part.tokens), default=most)  # fmt: skip
    return min(most, max(64, 1 << (longest + 1).bit_length()))


def _arch(wanted: Wanted, how: How, site: _Site, flops: float) -> tuple["Arch", tuple[str, ...]]:
    """The shape that was asked for, or the one whose loss is lowest after the time there is."""
    tokenizer, machine = site.tokenizer, site.machine
    if wanted.model:
        arch = arch_of(wanted.model, Setup())
        if arch.kind != KINDS[wanted.objective]:
            raise UserError(
                f"{wanted.objective} needs a model of kind {KINDS[wanted.objective]}, and {wanted.model} is of kind "
                f"{arch.kind}",
                "choose another objective, clm, mlm or span: objective=clm",
            )
        return arch, ()
    family = wanted.family or FAMILIES[wanted.objective]
    words = table_rows(tokenizer)
    if not _free(wanted):
        setup = Setup(family=family, vocabulary=words, length=how.max_length)
        arch = arch_of(wanted.size, setup)
        return replace(arch, vocabulary=words, pad_id=tokenizer.pad_id), ()
    asked = Wish(
        words,
        how.max_length,
        family,
        "fp32" if how.precision == "fp32" else "bf16",
        how.optimizer,
        device="cuda" if machine.device.startswith("cuda") else "cpu",
        predicted=PREDICTED[wanted.objective],
    )
    tokens = sum(part.tokens for part in site.corpus.part("train"))
    advice = advise(wanted.seconds * TRAINED, flops, site.memory, asked, tokens)
    return replace(advice.arch, pad_id=tokenizer.pad_id), advice.notes


def table_rows(tokenizer: "Tokenizer") -> int:
    """Rows of the table of words: a multiple of 64, which kernels like."""
    return -(-tokenizer.size // 64) * 64


def _batched(wanted: Wanted, how: How, arch: "Arch", site: _Site) -> How:
    """The rows of a step and into how many parts it is cut, so that it fits the memory."""
    if "batch" not in wanted.train:
        spent = wanted.seconds * site.machine.learning("bf16") * TRAINED * site.processes
        per_token = predict(arch, _pass(replace(how, batch=1), arch, site), _learning(how), 1).flops_per_token
        whole = read_count(wanted.tokens, "tokens") or spent / max(per_token, 1.0)
        each = min(max(whole / STEPS, FEWEST), 2**19)
        how = replace(how, batch=max(site.processes, 2 ** round(math.log2(each / how.max_length))))
    while (taken := _taken(how, arch, site)) > site.memory:
        if "accumulation" in wanted.train or how.accumulation * site.processes >= how.batch:
            raise _too_large(how, arch, site, taken)
        how = replace(how, accumulation=min(how.batch, how.accumulation * 2))
    return how


def _taken(how: How, arch: "Arch", site: _Site) -> int:
    """Bytes that a step holds at its peak in one process."""
    step = _pass(how, arch, site)
    return training_memory(arch, step, chunked(arch, step, _learning(how))).total


def _too_large(how: How, arch: "Arch", site: _Site, taken: int) -> UserError:
    """The mistake of a step that does not fit, with the largest parts that would."""
    parts = how.accumulation
    while parts * site.processes < how.batch and _taken(replace(how, accumulation=parts), arch, site) > site.memory:
        parts = min(how.batch, parts * 2)
    fits = _taken(replace(how, accumulation=parts), arch, site) <= site.memory
    return UserError(
        f"a step of {_pass(how, arch, site).batch} rows of {how.max_length} tokens needs {show_bytes(taken)}, "
        f"and {show_bytes(site.memory)} are there",
        f"train.accumulation={parts} fits" if fits else "take a smaller model, size=1M, or train.recompute=true",
    )


def _pass(how: How, arch: "Arch", site: _Site) -> Pass:
    """One pass of a step in one process, as the arithmetic of memory sees it."""
    from dragoman.train.precision import choose_precision

    kind = "cuda" if site.device.startswith("cuda") else "cpu"
    objective = {kind: name for name, kind in KINDS.items()}[arch.kind]
    return Pass(
        -(-how.batch // (how.accumulation * site.processes)),
        how.max_length,
        precision=choose_precision(how.precision, site.device),
        recompute=how.recompute,
        masked=True,
        predicted=PREDICTED[objective],
        device=kind,  # type: ignore[arg-type]
    )


def _learning(how: How) -> Learning:
    return Learning(how.optimizer)


def _speed(wanted: Wanted, site: _Site, arch: "Arch", how: How) -> float:
    """Tokens a second of a few real steps on the real texts by this process alone, the quicker half: others may use
    the machine meanwhile."""
    from dragoman.nn.fresh import fill
    from dragoman.nn.store import build_lm
    from dragoman.train.loop import begin, fit
    from dragoman.train.packing import Texts

    net = build_lm(arch)
    fill(net, arch, 0)
    objective = OBJECTIVES.make(wanted.objective, wanted.objective_settings, "objective")
    parts = tuple(part for part in site.corpus.part("train") if part.tokens)
    texts = Texts(parts, tuple(1 / len(parts) for _ in parts))
    rows = max(1, how.batch // site.processes)
    trial = replace(how, steps=TIMED + 2, rate=how.rate or 1e-3, compile=False, batch=rows)
    trial = replace(trial, accumulation=min(how.accumulation, rows))
    steps = fit(begin(net, site.tokenizer, objective, TUNINGS.make("scratch", {}), texts, trial))
    next(steps)
    spent = []
    for _ in range(TIMED):
        begun = time.perf_counter()
        step = next(steps)
        spent.append((time.perf_counter() - begun) / max(step.tokens, 1))
    return TIMED // 2 / sum(sorted(spent)[: TIMED // 2])


def _steps(wanted: Wanted, how: How, speed: float, tokens: int) -> int:
    """How many steps: as said, as the tokens or the epochs say, or as the time allows."""
    each = how.batch * how.max_length
    if how.steps:
        return how.steps
    if wanted.tokens:
        return max(1, math.ceil(read_count(wanted.tokens, "tokens") / each))
    if how.epochs:
        return max(1, math.ceil(how.epochs * tokens / each))
    return max(10, int(wanted.seconds * TRAINED * speed / each))


def usual_rate(how: How, arch: "Arch") -> float:
    """The highest rate where none is given: narrower models stand more (Yang et al. 2022, 2203.03466)."""
    base = 1e-2 if how.optimizer == "muon" else 2e-3
    return base * math.sqrt(min(1.0, 256 / arch.width))


def _rate(how: How, arch: "Arch") -> float:
    """The highest rate where none is given: narrower models stand more (Yang et al. 2022, 2203.03466)."""
    base = 1e-2 if how.optimizer == "muon" else 2e-3
    return base * math.sqrt(min(1.0, 256 / arch.width))
