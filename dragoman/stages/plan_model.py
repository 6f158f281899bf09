"""Plan one model before it is trained or served: memory part by part in every tuning, multiplications, time, energy."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from dragoman.core.chinchilla import BESIROGLU, warnings_of
from dragoman.core.config import nearest
from dragoman.core.errors import UserError
from dragoman.core.formats import FORMATS
from dragoman.core.show import Show
from dragoman.core.sizing import show_bytes, show_seconds

if TYPE_CHECKING:
    from dragoman.nn.arch import Arch
    from dragoman.nn.footprint import Memory
    from dragoman.stages.predict import Prediction, Speed
    from dragoman.train.machine import Machine

__all__ = ["Setup", "arch_of", "measured", "plan_model", "read_count", "show_formats"]

_COUNT = re.compile(r"(\d+(?:\.\d+)?)([kmbt]?)", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
_FORMS = ("fp32", "bf16", "fp16", "int8", "nf4")  # what a model can be kept in that only answers
_COLOURS = {
    "weights": "cyan",
    "copy": "blue",
    "gradients": "magenta",
    "optimizer": "yellow",
    "activations": "green",
    "logits": "red",
    "cache": "white",
    "holes": "bright_black",
}


@dataclass(frozen=True)
class Setup:
    """How a model is to be trained, and what an hour of it costs."""

    batch: int = 8
    "Texts in one pass."
    length: int = 0
    "Tokens of a text; 0 is 1,024, or what the model has positions for."
    tokens: str = ""
    "How many tokens are trained on, such as 300M or 1.5B; empty is what the scaling law advises."
    distinct: str = ""
    "How many different tokens are at hand, where they may have to be read more than once."
    precision: Literal["fp32", "bf16"] = "bf16"
    "The numbers that are multiplied; weights are kept in fp32."
    optimizer: Literal["adamw", "muon"] = "adamw"
    "What moves the weights."
    recompute: bool = False
    "Whether blocks are computed once more on the way back instead of kept."
    rank: int = 8
    "The rank of LoRA's matrices."
    family: str = "llama"
    "The architecture of a model given by its size alone."
    vocabulary: int = 8192
    "The words of a model given by its size alone."
    device: str = "auto"
    "Where it is to be trained: auto, cpu or cuda. It is measured for five seconds."
    seconds: float = 5.0
    "How long the machine is measured; 0 measures nothing and predicts no time."
    utilisation: float = 0.0
    "The share of the matrices' peak that training reaches; 0 measures it on a block like the model's."
    memory: str = ""
    "The memory there is, such as 24 GiB; empty is what is free."
    watts: float = 0.0
    "What the machine draws while it trains."
    price_kwh: float = 0.0
    "What a kilowatt-hour costs."
    price_hour: float = 0.0
    "What an hour of the machine costs."

    def __post_init__(self) -> None:
        for name in ("batch", "rank", "vocabulary"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} cannot be {getattr(self, name)}", f"it must be 1 or more: {name}=8")
        for name in ("length", "seconds", "watts", "price_kwh", "price_hour"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UserError(f"{name} cannot be {getattr(self, name)}", f"it must be 0 or more: {name}=0")
        if not 0 <= self.utilisation <= 1:
            raise UserError(f"utilisation cannot be {self.utilisation}", "it is a share: utilisation=0.4")


def read_count(text: str, name: str) -> int:
    """`1.5B` as a number; 0 for nothing. Raises UserError that names the setting."""
    match = _COUNT.fullmatch(text.replace(",", "").replace("_", "")) if text else None
    if text and match is None:
        raise UserError(f"{name} cannot be '{text}'", f"write a number, such as {name}=300M or {name}=1.5B")
    return int(float(match[1]) * _UNITS[match[2].lower()]) if match else 0


def arch_of(spec: str, setup: Setup) -> "Arch":
    """The shape that is meant: a size (15M), family/preset (gpt2/small), a folder, builtin: or hf:owner/name.

    Raises UserError where there is none.
    """
    from dragoman.nn.family import FAMILIES
    from dragoman.nn.store import family_of, read_arch

    if _COUNT.fullmatch(spec):
        from dragoman.nn.sizes import fresh_arch

        length = setup.length or 1024
        return fresh_arch(setup.family, setup.vocabulary, length, parameters=read_count(spec, "model"))
    family, _, preset = spec.partition("/")
    if family in FAMILIES.names() and preset:
        presets = family_of(family).presets
        if preset not in presets:
            raise UserError(f"{family} has no size named '{preset}'", nearest(preset, presets))
        return presets[preset]
    from dragoman.models.source import resolve

    return read_arch(resolve(spec))


def measured(setup: Setup, width: int, length: int) -> "Machine | None":
    """The machine, measured with a block of that width; None where it is not to be."""
    if not setup.seconds:
        return None
    from dragoman.train.machine import measure_machine

    return measure_machine(setup.device, setup.seconds, min(width, 1024), min(length, 1024))


def plan_model(spec: str, setup: Setup, show: Show) -> int:
    """Show what a model takes; exit code 0."""
    from dragoman.nn.activations import Pass
    from dragoman.nn.footprint import Learning, answering_memory, count, evaluation_memory
    from dragoman.stages.predict import Prices, Speed, chunked, predict, speed_of

    arch = arch_of(spec, setup)
    length = setup.length or min(arch.longest, 1024)
    arch.require(length)
    machine = measured(setup, arch.width, length)
    device: Literal["cpu", "cuda"] = "cuda" if machine and machine.device.startswith("cuda") else "cpu"
    step = Pass(setup.batch, length, precision=setup.precision, recompute=setup.recompute, device=device)
    learning = chunked(arch, step, Learning(setup.optimizer, rank=setup.rank, where=_where(arch)))
    whole = count(arch)
    tokens = read_count(setup.tokens, "tokens") or _advised(whole.total)
    steps = -(-tokens // (setup.batch * length))
    speed = speed_of(machine, setup.precision, setup.utilisation) if machine else Speed()
    memory, found = {}, {}
    for tuning in ("full", "lora", "qlora"):
        found[tuning] = predict(arch, step, replace(learning, tuning=tuning), steps, speed=speed)
        memory[tuning] = found[tuning].memory
    memory["evaluation"] = evaluation_memory(arch, step, learning)
    for form in _FORMS:
        memory[f"inference {form}"] = answering_memory(arch, setup.batch, length, form)
    _show_memory(spec, memory, setup, length, show)
    prices = Prices(setup.watts, setup.price_kwh, setup.price_hour)
    full = found["full"]
    rows = _work(full, setup, machine, speed)
    rows += [(name, text) for name, text in _costs(full.seconds, prices).items()]
    for text in warnings_of(whole.total, tokens) if not setup.tokens else ():
        rows.append(("note", text))
    show.card("training all of it", rows)
    show.result(
        {
            "model": spec,
            "parameters": asdict(whole) | {"total": whole.total},
            "memory": {name: {**one.parts, "total": one.total} for name, one in memory.items()},
            "training": {tuning: dict(one.facts) for tuning, one in found.items()},
            "steps": steps,
            "machine": asdict(machine) if machine else None,
            "energy_kwh": prices.energy(full.seconds),
            "price": prices.price(full.seconds),
        }
    )
    return 0


def _where(arch: "Arch") -> tuple[str, ...]:
    """All matrices that a shape has."""
    from dragoman.nn.footprint import MATRICES

    return tuple(name for name in MATRICES if name != "gate" or arch.gated)


def _advised(parameters: int) -> int:
    """The tokens of the budget whose optimum has so many parameters, by the corrected law."""
    law = BESIROGLU
    low, high = 1e6, 1e32
    for _ in range(200):  # the optimum grows with the budget, so halving finds it
        middle = (low * high) ** 0.5
        low, high = (middle, high) if law.best(middle).parameters < parameters else (low, middle)
    return int(law.best(high).tokens)


def _show_memory(spec: str, memory: "Mapping[str, Memory]", setup: Setup, length: int, show: Show) -> None:
    """The parts as a table, and as bars of one scale."""
    parts = [part for part in _COLOURS if any(one.parts[part] for one in memory.values())]
    rows = [
        (name, *(show_bytes(one.parts[part]) if one.parts[part] else "" for part in parts), show_bytes(one.total))
        for name, one in memory.items()
    ]
    title = f"memory of {spec}, {setup.batch} x {length} tokens, {setup.precision}, {setup.optimizer}"
    show.table(title, ("", *parts, "total"), rows)
    show.draw(_bars(memory, parts))


def _bars(memory: "Mapping[str, Memory]", parts: list[str], width: int = 72) -> Any:
    """A bar a row, as long as its bytes, its parts in their colours; the legend stands below."""
    from rich.table import Table
    from rich.text import Text

    most = max(one.total for one in memory.values())
    grid = Table.grid(padding=(0, 2))
    for name, one in memory.items():
        bar, drawn, summed = Text(), 0, 0
        for part in parts:
            summed += one.parts[part]
            until = round(width * summed / most)
            bar.append("█" * (until - drawn), _COLOURS[part])
            drawn = until
        bar.append(f" {show_bytes(one.total)}")
        grid.add_row(Text(name), bar)
    legend = Text()
    for part in parts:
        legend.append("█ ", _COLOURS[part]).append(f"{part}  ")
    grid.add_row(Text(""), legend)
    return grid


def _work(full: "Prediction", setup: Setup, machine: "Machine | None", speed: "Speed") -> list[tuple[str, str]]:
    """Parameters, operations and time, in words."""
    classic = 6.0 * full.parameters.total * full.tokens
    rows = [
        ("parameters", f"{full.parameters.total:,}, {full.parameters.blocks:,} of them in blocks"),
        ("tokens", f"{full.tokens:,}" + ("" if setup.tokens else ", as the corrected law advises for this size")),
        ("operations", f"{full.flops.total:.3g} FLOP, {full.flops_per_token:.3g} a token (6 N D says {classic:.3g})"),
    ]
    if machine is None:
        return rows
    share = speed.flops / machine.peak(setup.precision)
    rate = full.tokens / full.seconds
    return [
        *rows,
        ("machine", f"{machine.device}, {machine.name}: {_rate(machine.fp32)} fp32, {_rate(machine.bf16)} bf16"),
        ("bandwidth", f"{machine.bandwidth / 1e9:.1f} GB/s, {show_bytes(machine.memory)} free"),
        ("learning at", f"{_rate(speed.flops)}, {share:.0%} of the peak: {rate:,.0f} tokens a second"),
        ("time", show_seconds(full.seconds)),
    ]


def _rate(flops: float) -> str:
    return f"{flops / 1e12:.1f} TFLOP/s" if flops >= 1e12 else f"{flops / 1e9:.1f} GFLOP/s"


def _costs(seconds: float, prices: Any) -> dict[str, str]:
    told = {}
    if prices.watts and seconds:
        told["energy"] = f"{prices.energy(seconds):.3g} kWh"
    if (prices.kwh or prices.hour) and seconds:
        told["price"] = f"{prices.price(seconds):.2f}"
    return told


def show_formats(show: Show) -> int:
    """The number formats with their bits; exit code 0."""
    rows, facts = [], []
    for one in FORMATS:
        bits = f"{one.sign} + {one.exponent} + {one.mantissa}"
        reach = (f"{one.largest:.4g}", f"{one.smallest:.3g}", f"{one.epsilon:.3g}")
        rows.append((one.name, bits, *reach, f"{one.bytes:.4g}", one.use))
        facts.append({"name": one.name, **asdict(one), "largest": one.largest, "epsilon": one.epsilon})
    columns = ("format", "sign + exponent + mantissa", "largest", "smallest normal", "epsilon", "bytes", "used for")
    show.table("number formats", columns, rows)
    show.result({"formats": facts})
    return 0
