"""Prove on this machine what training promises: kills, damaged checkpoints, NaN, the order of the examples.

The proofs train nets of a second's work on generated texts, with the loop and the checkpoints of every other training.
Exit code 0 when every proof held, 1 when one did not.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dragoman.core.disk import typed
from dragoman.core.durable import room
from dragoman.core.errors import Stopped, UserError
from dragoman.core.show import Show, Tick, many
from dragoman.stages.proofs import checkpoints, nan, order, resume
from dragoman.stages.proofs.proof import Proof

__all__ = ["LIMITS", "PLACES", "PROOFS", "SECTIONS", "Settings", "run"]

PLACES = ("name",)
SECTIONS = False
ROOM = 200 << 20
PROOFS = ("resume", "checkpoints", "nan", "order")
LIMITS = (
    "bits differ between CPUs, versions of torch, GPUs and numbers of threads: losses of one and two lie within 1e-4",
    "disks that lie about fsync, and network file systems without flock, are not covered",
    "proven is this code on this machine's CPU, with nets of some 25,000 weights; larger ones go through the same code",
)
_SHOWN = 12  # cases that failed, of one proof; the rest stand in --json


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman verify`."""

    name: Literal["all", "resume", "checkpoints", "nan", "order"] = "all"
    "Which proof: resume, checkpoints, nan or order; all four, one after the other, where none is named."
    kills: int = 20
    "How many times resume kills."
    show: int = 0
    "How many ids of the order are printed, from its beginning."
    seed: int = 0
    "The seed of the nets, of the order and of the instants of the kills."
    folder: str = ""
    "Where to work, to prove another disk; empty is the system's place for temporary files. Nothing is left there."

    def __post_init__(self) -> None:
        if not 1 <= self.kills <= 10_000:
            raise UserError(f"kills cannot be {self.kills}", "give a number from 1 to 10000: kills=20")
        if not 0 <= self.show <= 1_000_000:
            raise UserError(f"show cannot be {self.show}", "give a number of ids: show=20")
        if not 0 <= self.seed < 1 << 32:
            raise UserError(f"seed cannot be {self.seed}", "give a number from 0 on: seed=1")


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Run the proofs asked for, and say of each what was done, how often, what was compared and what came out."""
    names = PROOFS if settings.name == "all" else (settings.name,)
    found: list[Proof] = []
    with tempfile.TemporaryDirectory(dir=_place(settings.folder), prefix="dragoman-verify-") as place:
        try:
            with show.board("verify") as board:
                for name in names:
                    with board.step(name) as tick:
                        proof = _prover(name, settings)(Path(place) / name, tick)
                        tick(1.0, f"{proof.result}, {many(proof.times, 'time')} tried")
                        found.append(proof)
        except Stopped as stopped:  # raised by a training inside, whose folder goes: there is nothing to go on from
            raise Stopped(stopped.signal, "stopped; nothing is left behind") from None
    for proof in found:
        _tell(proof, show)
    if len(found) > 1:
        rows = [(one.name, str(one.times), one.result, "met" if one.held else "missed") for one in found]
        show.table("proofs", ("proof", "tried", "what came out", "held"), rows)
    show.card("the limits of all this", [(str(place), text) for place, text in enumerate(LIMITS, 1)], mark="wait")
    held = all(one.held for one in found)
    show.result({"held": held, "proofs": {one.name: one.json() for one in found}, "limits": list(LIMITS)})
    return 0 if held else 1


def _prover(name: str, settings: Settings) -> Callable[[Path, Tick], Proof]:
    """The proof of that name, waiting for its folder and its bar."""
    kills, show, seed = settings.kills, settings.show, settings.seed
    provers: dict[str, Callable[[Path, Tick], Proof]] = {
        "resume": lambda folder, tick: resume.prove(kills, seed, folder, tick),
        "checkpoints": lambda folder, tick: checkpoints.prove(seed, folder, tick),
        "nan": lambda folder, tick: nan.prove(seed, folder, tick),
        "order": lambda folder, tick: order.prove(show, seed, folder, tick),
    }
    return provers[name]


def _place(folder: str) -> Path | None:
    """The folder to work in, which must be there. None is the system's own."""
    if not folder:
        room(Path(tempfile.gettempdir()), ROOM)
        return None
    place = typed(folder)
    if not place.is_dir():
        raise UserError(f"{place} is no folder", "name one that is there: dragoman verify folder=PATH")
    room(place, ROOM)
    return place


def _tell(proof: Proof, show: Show) -> None:
    """The card of a proof; what failed is listed by name."""
    rows = [
        ("what was done", proof.done),
        ("how often", proof.often),
        ("what was compared", proof.compared),
        ("what came out", f"{proof.result} {'met' if proof.held else 'missed'}"),
    ]
    failed = [case for case in proof.cases if not case.held]
    rows += [("did not hold", f"{case.name}: {case.said}") for case in failed[:_SHOWN]]
    rows += [("did not hold", f"{len(failed) - _SHOWN} more; --json lists them")] if len(failed) > _SHOWN else []
    rows += [("", note) for note in proof.notes]
    show.card(f"verify {proof.name}", rows, mark="good" if proof.held else "bad")
