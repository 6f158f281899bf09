"""No half checkpoints: every fault in every file of one is found, named, set aside, and the training ends the same."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.core import durable
from dragoman.core.show import Tick
from dragoman.stages.proofs.faults import FAULTS, Fault
from dragoman.stages.proofs.proof import Case, Proof, differing

if TYPE_CHECKING:
    from dragoman.train.doors import Step
    from dragoman.train.trial import Trial

__all__ = ["prove", "stopped_at"]

NAMES = ("classify, full, bf16", "clm, muon, fp32")
SHORT = {"epochs": 1.5}
STOP, BEFORE = 10, 4
"the step in which the training is broken off, some after its second save, and the step of its first one"


class _Enough(Exception):
    """The training is broken off here, as a kill would."""


def prove(
    seed: int, folder: Path, tick: Tick, names: tuple[str, ...] = NAMES, faults: Mapping[str, Fault] = FAULTS
) -> Proof:
    """Damage each file of the newest state and of the best weights it needs, in every way; go on, and compare."""
    from dragoman.train.trial import one_thread, trial

    cases: list[Case] = []
    for place, name in enumerate(names):
        share = lambda done, text, place=place: tick((place + done) / len(names), text)  # noqa: E731
        with one_thread():
            cases += _damaged(trial(name), folder / name.replace(", ", "-"), seed, faults, share)
    tick(1.0, f"{len(cases)} faults")
    return Proof(
        "checkpoints",
        f"Each file of a saved state was damaged: {', '.join(faults)}. Then the same call went on.",
        f"{len(cases)} faults in {len(names)} kinds of training",
        "the file is named, what it belongs to is set aside and not deleted, and every bit of the end: SHA-256",
        tuple(cases),
    )


def _damaged(one: "Trial", folder: Path, seed: int, faults: Mapping[str, Fault], tick: Tick) -> list[Case]:
    """Every fault in every file of one kind of training."""
    from dragoman.train.trial import bits, train

    expected = bits(train(one, folder / "whole", seed, SHORT), folder / "whole")
    stopped_at(one, folder / "broken", seed)
    files, hurt, cases = _files(folder / "broken"), folder / "hurt", list[Case]()
    for number, file in enumerate(files):
        tick(number / len(files), f"{one.name}, {file}")
        for fault, damage in faults.items():
            shutil.rmtree(hurt, ignore_errors=True)
            shutil.copytree(folder / "broken", hurt)
            damage(hurt / file)
            said: list[str] = []
            outcome = train(one, hurt, seed, SHORT, said.append)
            wrong = differing(expected, bits(outcome, hurt)) or _untold(hurt, file, said)
            cases.append(Case(f"{one.name}: {file} {fault}", not wrong, 1, wrong))
    return cases


def stopped_at(one: "Trial", folder: Path, seed: int) -> None:
    """A folder with the last two states of a training that was broken off."""
    from dragoman.train.trial import train

    def log(step: "Step") -> None:
        if step.number == STOP:
            raise _Enough

    try:
        train(one, folder, seed, SHORT, log=log)
    except _Enough:
        return
    raise RuntimeError(f"the training has no step {STOP}")


def _files(folder: Path) -> list[str]:
    """Every file of the newest state, and of the newest best weights."""
    found = []
    for prefix in ("step", "best"):
        newest = durable.versions(folder, prefix)[-1][1]
        found += sorted(file.relative_to(folder).as_posix() for file in newest.iterdir())
    return found


def _untold(folder: Path, file: str, said: list[str]) -> str:
    """What should have been said or kept of a damaged file and was not; empty where all was."""
    name = file.partition("/")[0]
    told = " / ".join(said)
    if file not in told:
        return f"{file} was not named: {told}"
    if not (folder / f"{name}.damaged-1").is_dir():
        return f"{name} was not set aside"
    if f"going on from step {BEFORE} of" not in told:
        return f"it did not go on from step {BEFORE}: {told}"
    left = [path for prefix in ("step", "best") for _, path in durable.versions(folder, prefix)]
    bad = [path.name for path in left if durable.problems(path)]
    return f"{bad[0]} is listed and damaged" if bad else ""
