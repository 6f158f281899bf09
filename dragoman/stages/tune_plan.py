"""Which method a tuning takes, and what each would cost on this machine in memory and time, before it runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dragoman.core.errors import UserError
from dragoman.core.sizing import show_bytes, show_seconds
from dragoman.train.doors import TUNINGS, How

if TYPE_CHECKING:
    from dragoman.nn.arch import Arch

__all__ = ["METHODS", "Method", "choose_method", "methods_of", "rows_of"]

METHODS = ("full", "lora", "qlora")
SMALL = 50_000_000
"parameters up to which all of them learn: a thin update saves little there, and learns less"


@dataclass(frozen=True, slots=True)
class Method:
    """One way to tune a model, with what it is expected to take."""

    name: str
    learnt: int
    memory: int
    "bytes at the peak of a step"
    seconds: float
    "of the training; 0 where the machine was not measured"
    fits: bool
    note: str = ""


def methods_of(arch: "Arch", how: How, tokens: int, memory: int, seconds: float = 2.0) -> list[Method]:
    """What each method would take for `tokens` tokens an epoch, in `memory` bytes; the machine is measured for
    `seconds`."""
    from dragoman.nn.activations import Pass
    from dragoman.nn.footprint import Learning
    from dragoman.stages.predict import chunked, predict, speed_of
    from dragoman.train.machine import measure_machine
    from dragoman.train.precision import choose_device, choose_precision

    device = choose_device(how.device)
    precision = choose_precision(how.precision, device)
    machine = measure_machine(how.device, seconds, min(arch.width, 1024), min(how.max_length, 512)) if seconds else None
    rows = max(1, how.batch // how.accumulation)
    step = Pass(
        batch=rows,
        length=how.max_length,
        precision=precision,
        recompute=how.recompute,
        masked=True,
        predicted=0.5,
        device="cuda" if device.startswith("cuda") else "cpu",
    )
    found = []
    for name in METHODS:
        learning = chunked(arch, step, Learning(how.optimizer, name))  # type: ignore[arg-type]
        epochs = how.epochs or TUNINGS.kind(name).epochs
        speed = speed_of(machine, precision) if machine else None
        passes = max(1, round(epochs * tokens / (rows * how.max_length)))
        one = predict(arch, step, learning, passes, 1, speed)
        missing = name == "qlora" and find_spec("bitsandbytes") is None
        short = one.memory.total > memory
        note = 'needs pip install "dragoman[quant]"' if missing else ""
        note = f"needs {show_bytes(one.memory.total)} of {show_bytes(memory)}" if short else note
        found.append(Method(name, one.learnt, one.memory.total, one.seconds, not short and not missing, note))
    return found


def choose_method(wanted: str, methods: Sequence[Method], parameters: int) -> tuple[str, str]:
    """The method that is taken, and why. Raises UserError where not even the smallest fits."""
    if wanted != "auto":
        TUNINGS.kind(wanted)
        return wanted, "it was asked for"
    able = [one.name for one in methods if one.fits]
    if not able:
        least = min(methods, key=lambda one: one.memory)
        raise UserError(
            f"no method fits: {least.name} {least.note or f'needs {show_bytes(least.memory)}'}",
            "read shorter texts or fewer at a time: max_length=256 train.batch=1 train.recompute=true",
        )
    if "full" in able and parameters <= SMALL:
        return "full", f"the model is small ({parameters:,} parameters), so all of it learns"
    if "lora" in able:
        return "lora", "thin matrices learn nearly as well as all, at a fraction of the memory"
    return able[-1], f"{able[-1]} is what fits into the memory"


def rows_of(methods: Sequence[Method]) -> list[tuple[str, ...]]:
    """The methods as a table shows them."""
    return [
        (
            one.name,
            f"{one.learnt:,}",
            show_bytes(one.memory),
            show_seconds(one.seconds) if one.seconds else "",
            one.note or ("fits" if one.fits else ""),
        )
        for one in methods
    ]
