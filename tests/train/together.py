"""Several processes that train together on the CPU, each started as torchrun would start it, and what they answer."""

import importlib
import json
import os
import socket
import subprocess
import sys
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dragoman.nn.arch import Arch
from dragoman.nn.store import fresh_lm
from dragoman.train.distributed import join, leave
from dragoman.train.doors import How, Objective
from dragoman.train.loop import Training, begin
from dragoman.train.objectives.clm import Clm
from dragoman.train.objectives.mlm import Mlm
from dragoman.train.objectives.span import Span
from dragoman.train.trial import Numbers, corpus
from dragoman.train.tuning.scratch import Scratch
from dragoman.train.world import World

__all__ = ["HOW", "begun", "ended", "fresh", "objective_of", "started", "together"]

ROOT = Path(__file__).resolve().parent.parent.parent
HOW = How(steps=6, rate=3e-3, batch=5, max_length=24, precision="fp32", device="cpu", patience=0)
"five rows cannot be shared evenly"
_GPT = Arch(
    *("gpt2", 200, 24, 2, 4, 48, 32, "decoder"),
    norm_place="before",
    final_norm=True,
    token_types=0,
    embedding_norm=False,
    attention_bias=False,  # a key's bias has a gradient of 0, whose rounding errors Adam would follow
    dropout=0.0,
    attention_dropout=0.0,
    initial_std=0.1,
)
_BERT = replace(_GPT, family="bert", kind="encoder", norm_place="after", final_norm=False, embedding_norm=True)
_T5 = replace(_GPT, family="t5", kind="encoder-decoder", decoder_layers=2, norm="rms", position="relative")
_KINDS: dict[str, tuple[Arch, Objective]] = {"clm": (_GPT, Clm()), "mlm": (_BERT, Mlm()), "span": (_T5, Span())}


def objective_of(kind: str) -> Objective:
    """The objective of a kind."""
    return _KINDS[kind][1]


def fresh(kind: str) -> Any:
    """The net that learns by an objective, before it does."""
    return fresh_lm(_KINDS[kind][0], 0)


def begun(kind: str, world: World, **changes: Any) -> Training:
    """A training before its first step, with nothing random in it but the order."""
    how = replace(HOW, **changes)
    return begin(fresh(kind), Numbers(), objective_of(kind), Scratch(), corpus(), how, world)


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    code: int
    answer: Any
    said: str


def started(work: str, *given: str, size: int = 2) -> list[subprocess.Popen[str]]:
    """Processes that each do `work`, MODULE:FUNCTION, with their world and what is given; it answers with JSON."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "tests.train.together", work, *given]
    return [
        subprocess.Popen(
            words,
            cwd=ROOT,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]


def ended(processes: list[subprocess.Popen[str]]) -> list[Ended]:
    """Wait for all; what still runs after two minutes hangs and is killed."""
    found = []
    try:
        for process in processes:
            out, said = process.communicate(timeout=120)
            lines = out.strip().splitlines()
            found.append(Ended(process.returncode, json.loads(lines[-1]) if process.returncode == 0 else None, said))
    finally:
        for process in processes:
            process.kill()
    return found


def together(work: str, *given: str, size: int = 2) -> list[Any]:
    """What each of the processes answers. Fails with what they said where one did not end well."""
    found = ended(started(work, *given, size=size))
    assert all(one.code == 0 for one in found), "\n".join(one.said[-4000:] for one in found)
    return [one.answer for one in found]


def main(work: str, *given: str) -> None:
    """Join, work, answer, leave."""
    import torch

    torch.set_num_threads(1)
    module, _, name = work.partition(":")
    world = join("cpu")
    warnings.simplefilter("error")
    answer = getattr(importlib.import_module(module), name)(world, *given)
    print(json.dumps(answer))
    leave()


if __name__ == "__main__":
    main(*sys.argv[1:])
