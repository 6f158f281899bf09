"""Which method a tuning takes, and what each would cost on this machine in memory and time, before it runs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from dragoman.core.errors import UserError
from dragoman.core.sizing import show_bytes, show_seconds
from dragoman.train.doors import TUNINGS, How

if TYPE_CHECKING:
    from dragoman.nn.arch import Arch

__all__ = ["METHODS", "Method", "choose_method", "methods_of", "own_words", "rows_of"]

METHODS = ("full", "lora", "qlora")
SMALL = 50_000_000
"parameters up to which all of them learn: a thin update saves little there, and learns less"
ANSWERS = 0.8
"the share of the tokens that are learnt: of Alpaca's rows 0.79"
_VARIED = 304 * 2**20
"""The least that a CPU's rows of ever other lengths take beside their tensors: kernels made for each length, of which
1,024 are kept, and holes that fit no next tensor; large tensors leave none.

Measured with a Llama of 21 million weights in bf16: the peak grows for one epoch and then stays. 2 packed rows of 512
tokens: 310 to 360 MB more than the tensors, in full tuning and with LoRA, 135 of them kernels; 8 rows of one example
each: the kernels alone.
"""
OWN = (
    (r"\bdata\.source=", "data="),
    (r"\bdata\.template\b", "prompt"),
    (r"\bdata\.(columns|shape|general|test|rows)\b", r"\1"),
    (r"\bmodels\.(max_length|max_tokens|template)\b", r"\1"),
    (r'\bmodels\.candidates=\["([^"]+)"\]', r"dragoman tune \1"),
    (r"\bscope\.(task|instruction)\b", r"\1"),
    (r"\btuning=(\w+)", r"method=\1"),
    (r"mend them, or data\.keep_going=true .*", "mend them; rows that cannot be read are left out where others can be"),
)
"settings of a project file, and how the same is said to `dragoman tune`"


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


def methods_of(
    arch: "Arch", how: How, tokens: int, memory: int, seconds: float = 2.0, tuning: Mapping[str, Any] | None = None
) -> list[Method]:
    """What each method would take for `tokens` tokens an epoch, in `memory` bytes; the machine is measured for
    `seconds`. `tuning` are the settings of the method as they were given: thin matrices have their rank and place."""
    from dragoman.nn.activations import Pass
    from dragoman.nn.footprint import MATRICES, Learning, pieces
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
        predicted=ANSWERS,
        device="cuda" if device.startswith("cuda") else "cpu",
    )
    known = tuple(name for name in MATRICES if name in {piece.name for piece in pieces(arch)})
    found = []
    for name in METHODS:
        learning = Learning(how.optimizer, name, rank=_rank(tuning), where=_where(tuning) or known)  # type: ignore[arg-type]
        learning = chunked(arch, step, learning)
        epochs = how.epochs or TUNINGS.kind(name).epochs
        speed = speed_of(machine, precision) if machine else None
        passes = max(1, round(epochs * tokens / (rows * how.max_length)))
        one = predict(arch, step, learning, passes, 1, speed)
        # The running average of what learns stands beside the weights all the time.
        peak = one.memory.total + (4 * one.learnt if how.average else 0)
        peak += max(0, _VARIED - one.memory.holes) if step.device == "cpu" else 0
        missing = name == "qlora" and find_spec("bitsandbytes") is None
        short = peak > memory
        note = 'needs pip install "dragoman[quant]"' if missing else ""
        note = f"needs {show_bytes(peak)} of {show_bytes(memory)}" if short else note
        found.append(Method(name, one.learnt, peak, one.seconds, not short and not missing, note))
    return found


def _rank(tuning: Mapping[str, Any] | None) -> int:
    """The rank of thin matrices that was given, else their own."""
    given = (tuning or {}).get("rank")
    return given if isinstance(given, int) and given > 0 else int(TUNINGS.kind("lora").rank)


def _where(tuning: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The matrices that were named; none is all that there are."""
    given = (tuning or {}).get("where") or ()
    return (given,) if isinstance(given, str) else tuple(given)


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


def own_words(text: str) -> str:
    """A text that names settings of a project file, with the words by which `dragoman tune` takes them."""
    for pattern, said in OWN:
        text = re.sub(pattern, said, text)
    return text


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
