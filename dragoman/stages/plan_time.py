"""How large a model can be trained here in the time there is, and the laws that say so, side by side."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dragoman.core.chinchilla import BESIROGLU, LAWS, Law, interval, resampled
from dragoman.core.errors import UserError
from dragoman.core.show import Show
from dragoman.core.sizing import parse_bytes, parse_seconds, show_bytes, show_seconds
from dragoman.stages.plan_model import Setup, measured, read_count

if TYPE_CHECKING:
    from dragoman.stages.advise import Advice
    from dragoman.train.machine import Machine

__all__ = ["plan_time", "show_fit"]

USUAL = 256  # the width of the block that is timed first
NARROWEST = 128  # a narrower model spends its time in front of the words' table, which is a large matrix
PUBLISHED = 5.76e23  # FLOPs of Gopher and Chinchilla, where the laws are usually compared


def plan_time(time: str, fit: str, setup: Setup, show: Show) -> int:
    """Show the largest model worth training in a time; exit code 0."""
    seconds = parse_seconds(time, "time")
    law, laws = (BESIROGLU, resampled()) if not fit else _fitted(fit)
    if not setup.seconds:
        raise UserError("a time says nothing where the machine is not measured", "leave out seconds=0")
    first = _ask(seconds, USUAL, setup, law, laws)
    # How fast it learns depends on the width, which depends on how fast it learns: once more with what came out.
    width = max(first.advice.arch.width, NARROWEST)
    answer = first if width == USUAL else _ask(seconds, width, setup, law, laws)
    advice = answer.advice
    _show_advice(answer, seconds, show)
    _show_laws(_all(law), advice.budget, laws, show)
    show.result(
        {
            "seconds": seconds,
            "flops_per_second": answer.speed,
            "machine": asdict(answer.machine),
            "advice": asdict(advice) | {"memory": {**advice.memory.parts, "total": advice.memory.total}},
            "laws": _facts(_all(law), advice.budget),
        }
    )
    return 0


@dataclass(frozen=True, slots=True)
class _Answer:
    """An advice and what it was based on."""

    advice: "Advice"
    machine: "Machine"
    speed: float
    room: int


def _ask(seconds: float, width: int, setup: Setup, law: Law, laws: Sequence[Law]) -> _Answer:
    """The advice for a machine measured with a block of that width."""
    from dragoman.stages.advise import Wish, advise

    length = setup.length or 512
    machine = measured(setup, width, length)
    assert machine is not None
    speed = setup.utilisation * machine.peak(setup.precision) or machine.learning(setup.precision)
    room = parse_bytes(setup.memory, "memory") if setup.memory else machine.memory
    device: Literal["cpu", "cuda"] = "cuda" if machine.device.startswith("cuda") else "cpu"
    wish = Wish(setup.vocabulary, length, setup.family, setup.precision, setup.optimizer, device=device)
    distinct = read_count(setup.distinct, "distinct")
    return _Answer(advise(seconds, speed, room, wish, distinct, law, laws), machine, speed, room)


def _show_advice(answer: _Answer, seconds: float, show: Show) -> None:
    advice, arch = answer.advice, answer.advice.arch
    shape = f"{arch.family}, {arch.layers} layers of width {arch.width}, {arch.heads} heads, {arch.vocabulary:,} words"
    epochs = f", each read {advice.epochs:.1f} times" if advice.epochs > 1 else ""
    taken = f"{show_bytes(advice.memory.total)} of {show_bytes(answer.room)}, {advice.batch} texts in a pass"
    rows = [
        ("parameters", f"{advice.parameters:,} ({advice.sizes[0]:,.0f} to {advice.sizes[1]:,.0f} by the law)"),
        ("tokens", f"{advice.tokens:,}, {advice.tokens / advice.parameters:.0f} a parameter{epochs}"),
        ("loss", f"{advice.loss:.2f} [{advice.low:.2f}, {advice.high:.2f}] nats a token, on the law's own text"),
        ("shape", shape),
        ("memory", taken + (", blocks recomputed" if advice.recompute else "")),
        ("budget", f"{advice.budget:.3g} FLOP: {show_seconds(seconds)} at {answer.speed / 1e9:,.0f} GFLOP/s"),
    ]
    show.card("the best model for this time", rows + [("note", text) for text in advice.notes])


def _all(law: Law) -> tuple[Law, ...]:
    return LAWS if law in LAWS else (law, *LAWS)


def _show_laws(laws: Sequence[Law], budget: float, others: Sequence[Law], show: Show) -> None:
    """Every set of constants, and where each sees the optimum."""
    rows = []
    for law in laws:
        best, known = law.best(budget), law.best(PUBLISHED)
        constants = f"{law.floor:.4g} + {law.a:.5g} / N^{law.alpha:.4g} + {law.b:.5g} / D^{law.beta:.4g}"
        ratios = (f"{best.tokens_a_parameter:.1f}", f"{known.tokens_a_parameter:.1f}")
        rows.append((law.name, constants, f"{best.parameters:,.3g}", f"{best.tokens:,.3g}", *ratios))
    columns = ("law", "loss", "parameters", "tokens", "tokens a parameter", f"at {PUBLISHED:g} FLOP")
    show.table(f"the optimum of {budget:.3g} FLOP", columns, rows)
    low, high = interval(one.best(budget).tokens_a_parameter for one in others)
    show.card(
        "why they differ",
        [
            ("interval", f"{low:.1f} to {high:.1f} tokens a parameter hold in 95 % of {len(others)} resampled fits"),
            *((law.name, law.source) for law in laws if law.source),
        ],
    )


def _facts(laws: Sequence[Law], budget: float) -> list[dict[str, object]]:
    return [asdict(law) | {"best": asdict(law.best(budget))} for law in laws]


def _fitted(path: str) -> tuple[Law, tuple[Law, ...]]:
    from dragoman.train.scaling import fit_law, read_trials, resample

    fit = fit_law(read_trials(Path(path)))
    return fit.law, resample(fit)


def show_fit(path: str, show: Show) -> int:
    """Fit the law to a person's own runs and show it beside the published ones; exit code 0."""
    from dragoman.train.scaling import fit_law, read_trials, resample

    fit = fit_law(read_trials(Path(path)))
    laws = resample(fit)
    rows = []
    for name, said in (("floor", "E"), ("a", "A"), ("b", "B"), ("alpha", "alpha"), ("beta", "beta")):
        low, high = interval(getattr(one, name) for one in laws)
        rows.append((said, f"{getattr(fit.law, name):.5g} [{low:.4g}, {high:.4g}]"))
    rows += [("runs", str(len(fit.trials))), ("sum of Huber losses", f"{fit.huber:.5g}")]
    sizes = [one.parameters for one in fit.trials]
    rows.append(("sizes", f"{min(sizes):,.0f} to {max(sizes):,.0f} parameters"))
    show.card(fit.law.name, rows)
    budget = max(6 * one.parameters * one.tokens for one in fit.trials)
    _show_laws(_all(fit.law), budget, laws, show)
    ratios = interval(one.best(PUBLISHED).tokens_a_parameter for one in laws)
    facts = {"law": asdict(fit.law), "huber": fit.huber, "runs": len(fit.trials), "budget": budget}
    published = {"tokens_a_parameter": fit.law.best(PUBLISHED).tokens_a_parameter, "interval": ratios}
    show.result(facts | {"published": published, "laws": _facts(_all(fit.law), budget)})
    return 0
