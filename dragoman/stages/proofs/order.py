"""The same order of examples: the chain of hashes over it is equal after kills and however a batch is cut."""

import hashlib
import json
import random
from collections.abc import Mapping
from pathlib import Path

from dragoman.core.show import Tick
from dragoman.stages.proofs.nursery import Job, Nursery, nursery
from dragoman.stages.proofs.proof import Case, Proof
from dragoman.stages.proofs.resume import OFTEN, killed

__all__ = ["chain", "learnt", "prove"]

NAMES = ("classify, full, bf16", "clm, adamw, fp32", "mlm, adamw, fp32", "span, adamw, fp32")
PARTS = (1, 2, 4)
KILLS = 2
SHORT = {"epochs": 2.0, "every": 1.0}


def prove(show: int, seed: int, folder: Path, tick: Tick, names: tuple[str, ...] = NAMES) -> Proof:
    """Train each objective whole, cut into parts, and killed; `show` ids of the first one's order are noted."""
    cases, notes, dice = list[Case](), list[str](), random.Random(seed)
    with nursery() as raising:
        for place, name in enumerate(names):
            tick(place / len(names), name)
            orders, chains = _orders(raising, name, folder / name.replace(", ", "-"), seed, dice)
            whole = next(iter(orders))
            if len(orders) == len(PARTS):
                cases.append(Case(f"{name}: killed", False, 0, "no kill hit it in time"))
            for way, order in orders.items():
                cases.append(Case(f"{name}: {way}", *_judged(order, chains[way], orders[whole], chains[whole])))
            notes += [f"{name}: {chains[whole]}"]
            if not place and show:
                notes += _listed(orders[whole], show)
    tick(1.0, f"{len(cases)} orders")
    return Proof(
        "order",
        f"Every objective was trained with its batches in {', '.join(map(str, PARTS))} parts, and killed.",
        f"{len(cases)} trainings, {KILLS} kills for each objective",
        "the names of all examples, step by step, and the chain of SHA-256 over them, made again from the names",
        tuple(cases),
        tuple(notes),
    )


def _orders(
    raising: Nursery, name: str, folder: Path, seed: int, dice: random.Random
) -> tuple[dict[str, Mapping[int, list[str]]], dict[str, str]]:
    """By way of training: the names of each step, and the chain that the training itself ended with."""
    orders, chains, seconds = dict[str, Mapping[int, list[str]]](), dict[str, str](), 0.0
    for parts in PARTS:
        job = Job(name, str(folder / f"parts-{parts}"), seed, {**SHORT, "accumulation": parts})
        way, answer = "batches whole" if parts == 1 else f"batches in {parts} parts", raising.finished(job)
        chains[way], orders[way] = answer.bits["order"], learnt(job.order)
        seconds = seconds or answer.seconds
    for life in range(5):  # one that is done before the first kill proves nothing
        job = Job(name, str(folder / f"killed-{life}"), seed, {**SHORT, "accumulation": 1, **OFTEN})
        landed, answer = killed(raising, job, KILLS, seconds / (1 + life), dice)
        if landed:
            way = "killed once" if landed == 1 else f"killed {landed} times"
            chains[way], orders[way] = answer.bits["order"], learnt(job.order)
            break
    return orders, chains


def learnt(path: Path) -> dict[int, list[str]]:
    """The examples of each step, from what all lives of a training wrote down; a last line may be torn by a kill.

    Raises ValueError where a step that was done again learnt from other examples than before.
    """
    found: dict[int, list[str]] = {}
    for line in path.read_text().splitlines():
        try:
            number, *names = json.loads(line)
        except ValueError:
            continue
        if found.setdefault(number, names) != names:
            raise ValueError(f"step {number} was done again with other examples")
    return found


def chain(order: Mapping[int, list[str]]) -> str:
    """SHA-256 over the names in their order, each step's hash one link of the next: what a training must end with."""
    link = ""
    for number in sorted(order):
        link = hashlib.sha256("\0".join([link, *order[number]]).encode()).hexdigest()
    return link


def _judged(
    order: Mapping[int, list[str]], ended: str, whole: Mapping[int, list[str]], expected: str
) -> tuple[bool, int, str]:
    """Whether an order is that of the whole run and the chain is its own; held, times, said."""
    if order != whole:
        step = next((number for number in sorted(whole) if order.get(number) != whole[number]), max(whole) + 1)
        return False, 1, f"step {step} learnt from other examples"
    if ended != expected or chain(order) != ended:
        return False, 1, f"the chain ends with {ended[:12]}, that of the names is {chain(order)[:12]}"
    return True, 1, f"{len(order)} steps, {ended[:12]}"


def _listed(order: Mapping[int, list[str]], show: int) -> list[str]:
    """The first examples of an order, one line a step."""
    lines, left = [], show
    for number in sorted(order):
        if left <= 0:
            break
        lines.append(f"step {number}: {', '.join(order[number][:left])}")
        left -= len(order[number])
    return lines
