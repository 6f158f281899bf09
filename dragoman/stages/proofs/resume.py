"""Kill it any time: trainings killed with SIGKILL at random instants end with the bits of one that was left alone."""

import contextlib
import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from dragoman.core.show import Tick
from dragoman.stages.proofs.nursery import Answer, Job, Nursery, nursery
from dragoman.stages.proofs.proof import Case, Proof, differing

__all__ = ["OFTEN", "Rough", "killed", "prove", "tried"]

OFTEN = {"save_seconds": 0.01}
"so often that many instants lie in or near a save"
A_LIFE = 3
"the most kills before a training may come to its end"
EARLY, LATE = 0.02, 0.6
"when a kill comes, as a share of the time that the whole training takes: late enough for progress, often in a save"


@dataclass(frozen=True)
class Rough:
    """A training that was killed, and how it ended."""

    trial: str
    kills: int
    seconds: float
    "what the one left alone took"
    damaged: int
    "states that a kill left damaged; a save that is whole or not there leaves none"
    wrong: str
    "what is not the same; empty where every bit is"


def prove(kills: int, seed: int, folder: Path, tick: Tick) -> Proof:
    """Kill so many times, spread over the first eight trials. `folder` is filled and may be thrown away."""
    from dragoman.train.trial import TRIALS

    names = [one.name for one in TRIALS[: min(8, kills)]]
    shares = [kills // len(names) + (place < kills % len(names)) for place in range(len(names))]
    dice, cases, done = random.Random(seed), list[Case](), 0
    with nursery() as raising:
        for name, share in zip(names, shares, strict=True):
            tick(done / kills, f"{name}, {done} of {kills} kills")
            found = tried(raising, name, share, dice, folder / name.replace(", ", "-"), seed)
            done += share
            wrong = [rough.wrong for rough in found if rough.wrong]
            landed = sum(rough.kills for rough in found)
            if landed < share:
                wrong.append(f"only {landed} of {share} kills hit it in time")
            cases.append(Case(name, not wrong, landed, "; ".join(wrong)))
    landed = sum(case.times for case in cases)
    tick(1.0, f"{landed} kills")
    return Proof(
        "resume",
        "Trainings were killed with SIGKILL at random instants and started again by the same call.",
        f"{landed} kills, {len(cases)} kinds of training",
        "weights, best weights, running average, optimizer, random numbers, losses and measurements, order: SHA-256",
        tuple(cases),
    )


def tried(raising: Nursery, name: str, kills: int, dice: random.Random, folder: Path, seed: int) -> list[Rough]:
    """One trial left alone, then killed so many times, in as many trainings as that takes; each is compared."""
    alone = Job(name, str(folder / "alone"), seed, OFTEN)
    whole = raising.finished(alone)
    seconds, left, found = whole.seconds, kills, list[Rough]()
    while left > 0 and len(found) < 4 * kills:
        job = Job(name, str(folder / f"killed-{len(found)}"), seed, OFTEN)
        landed, answer = killed(raising, job, min(A_LIFE, left), seconds, dice)
        left -= landed
        seconds *= 1.0 if landed else 0.5  # the machine was busier while it was left alone
        wrong = differing(whole.bits, answer.bits) or (f"{answer.damaged} states damaged" if answer.damaged else "")
        found.append(Rough(name, landed, whole.seconds, answer.damaged, wrong))
    return found


def killed(raising: Nursery, job: Job, kills: int, seconds: float, dice: random.Random) -> tuple[int, Answer]:
    """Kill a training up to so many times and let it come to its end: how many kills hit it, and how it ended."""
    landed = 0
    while landed < kills:
        child = raising.start(job)
        time.sleep(dice.uniform(EARLY, LATE) * seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        if raising.ended() != -signal.SIGKILL:
            break  # it was done before
        landed += 1
    return landed, raising.finished(job)
