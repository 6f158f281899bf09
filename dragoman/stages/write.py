"""Write rows to learn from: a model's own after the pattern of yours, programs whose tests pass, or pairs of passages.

What a model made says so in its row, and is never measured on: `dragoman prepare` keeps it out of validation and test.
Every answer is on the disk before the next is asked; the same command goes on. A card beside the rows tells how many
were left out, and why.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from dragoman.core import durable
from dragoman.core.disk import typed
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.show import Show, many
from dragoman.stages.answering import INDEX
from dragoman.stages.generate import no_model
from dragoman.stages.generate_data import Task, generate_data, prompt_of, read_seeds
from dragoman.stages.remembered import RememberedLM

__all__ = ["PLACES", "SECTIONS", "Settings", "laid", "run"]

PLACES = ("seeds", "out")
SECTIONS = False
# JSON, and lines of it. They may lie beside rows that are learnt: a folder of data passes over what ends like this.
CARD, ANSWERS = ".card", ".answers"
AWAY = ("openai", "fake")
Weights = Literal["auto", "fp32", "bf16", "int8", "int8_dynamic"]
Told = tuple[dict[str, Any], list[dict[str, Any]], list[tuple[str, str]]]
"what a card says of how rows came about, the rows, and lines for people"


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman write`."""

    seeds: str = ""
    """What is written after: rows with instruction and output or text and label, or a project, whose training part it
    is; for kind=code tasks as in HumanEval; for kind=pairs questions with the places that answer them."""
    out: str = ""
    "Where the rows go; empty is NAME.written.jsonl beside the seeds."
    kind: Literal["rows", "code", "pairs"] = "rows"
    "Rows by a model (Self-Instruct), programs whose tests pass in the sandbox, or pairs that teach ranking."
    model: str = ""
    "Who writes: a folder, hf:owner/name, or openai:http://host:port/v1#model; pairs need none."
    n: int = 100
    "How many rows are wanted; of programs and pairs all that there are come."
    task: Task = "auto"
    "What the rows of a file are for: chat or classify; auto sees it by their columns."
    shown: int = 8
    "How many examples a prompt shows."
    tries: int = 4
    "How many are written for each that is wanted, at the most."
    samples: int = 1
    "Programs that are drawn for each task."
    index: str = INDEX
    "The index in which passages are looked for."
    negatives: int = 4
    "Passages that do not answer, for each that does."
    keep_going: bool = False
    "Leave out rows that cannot be read instead of refusing the file."
    device: str = "auto"
    "Where the model runs: auto, cpu, cuda or mps."
    precision: Weights = "auto"
    "The numbers it runs in; int8 stores the weights in a byte each, int8_dynamic multiplies in int8 too."
    temperature: float = 0.7
    "0 takes the most probable token, and several programs of a task are one; more writes more kinds of rows."
    max_tokens: int = 512
    "The most tokens of a row or a program."
    how: Sampling = field(default_factory=Sampling)
    "How else the next token is drawn; its seed draws the examples too."


def laid(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The words that were given. Raises UserError where one of them is another setting's, which would win silently."""
    how = given.get("how", {})
    names = set(how) if isinstance(how, Mapping) else {""}
    for name in ("temperature", "max_tokens"):
        if name in names or (name == "temperature" and "" in names):
            raise UserError(f"how.{name} is not looked at here", f"say it by its own name: {name}=...")
    return given


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Write the rows, their card, and tell how it went."""
    _check(settings)
    out, kept = _places(settings)
    made = {"rows": _rows, "code": _code, "pairs": _pairs}[settings.kind]
    facts, rows, lines = made(settings, kept, show)
    if not rows:
        left = ", ".join(f"{count:,} {why}" for why, count in facts["left_out"].items())
        raise UserError(f"nothing can be kept: {left}", "look at what the model says with dragoman generate")
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(errors="replace")
    _check_unchanged(out, text)  # somebody may have worked on it meanwhile
    durable.write(out, text)
    source = _digest(typed(settings.seeds))
    told = {"file": str(out), "sha256": hashlib.sha256(text).hexdigest(), "kind": settings.kind, "rows": len(rows)}
    card = _card(out)
    durable.write_json(card, {**told, "seeds": settings.seeds, **source, "settings": asdict(settings), **facts})
    left = ", ".join(f"{count:,} {why}" for why, count in facts["left_out"].items())
    shown = [*lines, *([("left out", left)] if left else []), ("card", str(card)), ("next", _next(settings, out))]
    show.card(f"{many(len(rows), 'row')} in {out}", shown, "good")
    show.result({**told, "card": str(card), **facts})
    return 0


def _check(settings: Settings) -> None:
    if not settings.seeds:
        raise UserError(
            "no seeds are named", "name a file of rows or a project: dragoman write rows.jsonl model=FOLDER"
        )
    if settings.kind != "pairs" and not settings.model:
        raise no_model("write")
    if settings.how.n > 1 or settings.how.beams > 1:
        raise UserError("n and beams are 1 here", "leave them out; samples=8 draws several programs a task")
    for name in ("n", "shown", "tries", "samples", "negatives"):
        if getattr(settings, name) < 1:
            raise UserError(f"{name} cannot be {getattr(settings, name)}", f"it is at least 1: say {name}=1")


def _how(settings: Settings) -> Sampling:
    """How the next token is drawn."""
    return replace(settings.how, temperature=settings.temperature, max_tokens=settings.max_tokens)


def _places(settings: Settings) -> tuple[Path, Path]:
    """Where the rows and the answers go. Raises UserError where they would write over what was read."""
    source = typed(settings.seeds)
    if settings.out:
        out = typed(settings.out)
    elif source.is_file() and source.name != "dragoman.toml":
        out = source.with_name(f"{Path(source.name.removesuffix('.gz')).stem}.written.jsonl")
    else:
        raise UserError(f"rows cannot lie beside {settings.seeds}", "name a file for them: out=written.jsonl")
    kept = out.with_name(out.name.removesuffix(".jsonl") + ANSWERS)
    if source.resolve() in (out.resolve(), kept.resolve()):
        raise UserError(f"{source} is read by this command", "name another file: out=written.jsonl")
    _check_unchanged(out)
    return out, kept


def _card(out: Path) -> Path:
    return out.with_name(out.name.removesuffix(".jsonl") + CARD)


def _check_unchanged(out: Path, text: bytes = b"") -> None:
    """Raise UserError where a file stands that is neither the one this command wrote, by its card, nor `text`."""
    if not out.is_file():
        return
    held = out.read_bytes()
    try:
        written = json.loads(_card(out).read_bytes())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        written = ""
    if held != text and hashlib.sha256(held).hexdigest() != written:
        problem = f"{out} was changed since it was written, or is another file"
        raise UserError(problem, "move it away, or name a new one: out=written.jsonl")


def _open(settings: Settings, kept: Path, show: Show) -> tuple[RememberedLM, str]:
    """The model with its memory, and what it holds."""
    from dragoman.models.open import open_lm
    from dragoman.models.source import fingerprint, resolve

    lm = open_lm(settings.model, device=settings.device, precision=settings.precision)
    if lm.note:
        show.say(lm.note)
    away = settings.model.partition(":")[0] in AWAY
    held = settings.model if away else fingerprint(resolve(settings.model))
    return RememberedLM(lm, held, kept), held


def _rows(settings: Settings, kept: Path, show: Show) -> Told:
    """Rows after the pattern of the seeds."""
    with show.board("write") as board:
        with board.step("seeds") as tick:
            seeds = read_seeds(settings.seeds, settings.task, settings.keep_going, tick)
            tick(1.0, many(len(seeds.patterns), "seed"))
        lm, held = _open(settings, kept, show)
        with board.step("write") as tick:
            made = generate_data(
                seeds,
                lm,
                settings.n,
                how=_how(settings),
                by=settings.model,
                shown=settings.shown,
                tries=settings.tries,
                tick=tick,
            )
            tick(1.0, f"{many(len(made.rows), 'row')} of {made.asked:,} written")
    facts = {
        "by": settings.model,
        "fingerprint": held,
        "prompt_hash": prompt_of(seeds),
        "seed_rows": len(seeds.patterns),
        "asked": made.asked,
        "fresh": lm.asked,
        "left_out": dict(made.left_out.most_common()),
    }
    lines = [("seeds", f"{len(seeds.patterns):,}"), ("written", f"{made.asked:,} by {settings.model}")]
    if seeds.labels:
        count = {name: sum(row["label"] == name for row in made.rows) for name in seeds.labels}
        facts["labels"] = count
        lines.append(("labels", ", ".join(f"{number:,} {name}" for name, number in count.items())))
    if len(made.rows) < settings.n:
        lines.append(("wanted", f"{settings.n:,}; more is tried with tries={2 * settings.tries}"))
    return facts, made.rows, lines


def _code(settings: Settings, kept: Path, show: Show) -> Told:
    """Programs whose tests pass."""
    from dragoman.app.generate_code import generate_code, pass_at, read_code_tasks
    from dragoman.app.sandbox.box import open_sandbox

    tasks = read_code_tasks(settings.seeds)
    box = open_sandbox()
    lm, held = _open(settings, kept, show)
    with show.board("write") as board, board.step("programs") as tick:
        made = generate_code(tasks, lm, box, by=settings.model, samples=settings.samples, how=_how(settings), tick=tick)
        tick(1.0, f"{many(len(made.rows), 'program')} of {many(len(tasks), 'task')}")
    rate = pass_at(1, list(made.passed.values()), settings.samples) if made.passed else 0.0
    facts = {"by": settings.model, "fingerprint": held, "tasks": len(tasks), "fresh": lm.asked, "pass_at_1": rate}
    solved = sum(count > 0 for count in made.passed.values())
    lines = [("tasks", f"{solved:,} of {len(made.passed):,} solved"), ("pass@1", f"{rate:.3f}")]
    return {**facts, "solved": solved, "left_out": dict(made.left_out.most_common())}, made.rows, lines


def _pairs(settings: Settings, kept: Path, show: Show) -> Told:
    """Pairs of passages from an index."""
    from dragoman.stages.questions import read_for
    from dragoman.stages.ranking_pairs import ranking_pairs
    from dragoman.stages.shelf import open_shelf

    shelf = open_shelf(settings.index, settings.device)
    try:
        questions, _ = read_for(shelf, typed(settings.seeds))
        with show.board("write") as board, board.step("pairs") as tick:
            made = ranking_pairs(questions, shelf, settings.negatives, tick)
            tick(1.0, f"{many(len(made.rows), 'pair')} of {many(made.questions, 'question')}")
    finally:
        shelf.store.close()
    facts = {"index": settings.index, "questions": made.questions, "left_out": dict(made.left_out.most_common())}
    return facts, made.rows, [("questions", f"{made.questions:,} of {len(questions):,}")]


def _digest(source: Path) -> Mapping[str, str]:
    """What identifies the seeds, where they are one file."""
    return {"seeds_sha256": hashlib.sha256(source.read_bytes()).hexdigest()} if source.is_file() else {}


def _next(settings: Settings, out: Path) -> str:
    if settings.kind == "pairs":
        return f"in a project: dragoman train objective=reward data={out}"
    return f"read some of {out.name}, then learn them beside rows of people: data.source=FOLDER"
