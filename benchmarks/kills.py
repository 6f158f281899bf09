"""Training runs killed with SIGKILL at random instants, resumed by the same call, and compared bit for bit.

python -m benchmarks.kills [--runs 10] [--kills 3] [--seed 0] [--json]
"""

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from dragoman.core.types import Example, Message
from dragoman.nn.arch import Arch
from dragoman.nn.encoder import fresh_encoder, initialise
from dragoman.nn.heads import Classifier, Head
from dragoman.train.doors import How, Tuning
from dragoman.train.objectives.classify import Classify
from dragoman.train.session import Watch, learn
from dragoman.train.tuning.full import Full
from dragoman.train.tuning.head import Head as HeadTuning
from dragoman.train.tuning.layers import Layers
from dragoman.train.tuning.lora import Lora

LABELS = ("even", "odd", "both")
ARCH = Arch("bert", 200, 32, 3, 4, 64, positions=32, initial_std=0.2)
HOW = How(epochs=3, rate=3e-3, batch=8, max_length=24, precision="fp32", device="cpu", patience=0, every=0.5)
HOW = replace(HOW, save_seconds=0.01, save_share=1.0)
"so often that most instants lie in or near a save"
RUNS: Sequence[tuple[Tuning, Mapping[str, object]]] = (
    (Full(layer_decay=0.8), {"precision": "bf16", "schedule": "cosine"}),
    (Lora(rank=4, dropout=0.1), {}),
    (Layers(top=3, gradual=1.0), {"precision": "bf16"}),
    (HeadTuning(), {"epochs": 12.0}),
    (Full(), {"accumulation": 4}),
    (Full(), {"patience": 2}),
    (Lora(rank=4), {"precision": "bf16"}),
    (Layers(top=2), {}),
    (Layers(top=4, gradual=0.5), {}),
    (Full(), {"precision": "bf16", "accumulation": 2}),
)
EXAMPLES = [
    Example(
        (Message("user", " ".join(str((row * 7 + place * place) % 190) for place in range(row % 19 + 1))),),
        (LABELS[row % 3],),
    )
    for row in range(64)
]


@dataclass
class Numbers:
    """One token a number."""

    pad_id: int = 0

    def encode(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """A first token, the numbers, a last token."""
        return [[1, *[3 + int(word) for word in text.split()][: max_length - 2], 2] for text in texts]

    def count(self, texts: Sequence[str]) -> list[int]:
        """How long each is."""
        return [len(text.split()) + 2 for text in texts]


def measured(net: Classifier) -> Mapping[str, float]:
    """A figure that depends on every bit of the net."""
    logits = [net(torch.tensor(Numbers().encode([row.text], 24)), None)[0] for row in EXAMPLES[:24]]
    right = sum(net.labels[int(said.argmax())] == row.answers[0] for said, row in zip(logits, EXAMPLES, strict=False))
    return {"accuracy": right / 24, "first": float(logits[0][0])}


def train(run: int, folder: Path) -> str:
    """One session in a folder; SHA-256 over its weights, AdamW's state, losses, measurements and order."""
    tuning, change = RUNS[run % len(RUNS)]
    net = Classifier(fresh_encoder(ARCH, run), Head(ARCH, len(LABELS)), LABELS)
    initialise(net.head, 0.2, run)
    how = replace(HOW, seed=run, **change)  # type: ignore[arg-type]
    watch = Watch("accuracy")
    done = learn(net, Numbers(), Classify(), tuning, EXAMPLES, how, folder, measured, watch, lambda _: None)
    whole = hashlib.sha256()
    for name, weight in done.net.named_parameters():
        whole.update(name.encode() + weight.detach().numpy().tobytes())
    last = max(path for path in folder.iterdir() if path.name.startswith("step-") and "damaged" not in path.name)
    whole.update((last / "optimizer.safetensors").read_bytes())
    whole.update(json.dumps([done.history, done.losses, done.chain, done.best_step, done.steps]).encode())
    return whole.hexdigest()


def child(run: int, folder: Path, answer: Path) -> int:
    """Train in a process of its own and write the digest; its id. Torch is imported once, in the parent."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            answer.write_text(train(run, folder))
            code = 0
        finally:
            os._exit(code)
    return process


def ended(process: int) -> int:
    """How a child ended: its exit code, or the signal below zero."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def one(run: int, kills: int, dice: random.Random, place: Path) -> dict[str, object]:
    """A run left alone, and the same run killed: whether they are the same."""
    started = time.monotonic()
    if ended(child(run, place / "whole", place / "whole.txt")):
        raise RuntimeError(f"run {run} failed without being killed")
    seconds = time.monotonic() - started
    landed = 0
    for _ in range(20 * kills):
        if landed == kills:
            break
        process = child(run, place / "killed", place / "killed.txt")
        time.sleep(dice.uniform(0.02, 0.6) * seconds)
        os.kill(process, signal.SIGKILL)
        if ended(process) == -signal.SIGKILL:
            landed += 1
    if ended(child(run, place / "killed", place / "killed.txt")):
        raise RuntimeError(f"run {run} failed after it was killed")
    damaged = len(list((place / "killed").glob("*.damaged-*")))
    exact = (place / "whole.txt").read_text() == (place / "killed.txt").read_text()
    tuning, change = RUNS[run % len(RUNS)]
    name = " ".join([repr(tuning), *(f"{key}={value}" for key, value in change.items())])
    return {"run": name, "seconds": seconds, "kills": landed, "damaged": damaged, "exact": exact}


def main() -> int:
    """Run, kill, compare, print the table; 0 when every run is exact."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--runs", type=int, default=10)
    words.add_argument("--kills", type=int, default=3)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    given = words.parse_args()
    torch.set_num_threads(1)  # so that a forked child may compute
    dice = random.Random(given.seed)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for run in range(given.runs):
            place = Path(folder) / str(run)
            place.mkdir()
            found.append(one(run, given.kills, dice, place))
            print(f"run {run + 1} of {given.runs}: {found[-1]['run']}", file=sys.stderr, flush=True)
    exact, kills = sum(bool(row["exact"]) for row in found), sum(int(str(row["kills"])) for row in found)
    summary = {
        "runs": len(found),
        "kills": kills,
        "exact": exact,
        "damaged": sum(int(str(r["damaged"])) for r in found),
    }
    if given.json:
        print(json.dumps(summary))
    else:
        print("| run | seconds | kills | damaged states | bit for bit |\n|---|---|---|---|---|")
        for row in found:
            same = "yes" if row["exact"] else "NO"
            print(f"| {row['run']} | {row['seconds']:.2f} | {row['kills']} | {row['damaged']} | {same} |")
        print(
            f"\n{exact} of {len(found)} runs, killed {kills} times, end with the bits of the run that was left alone."
        )
    return 0 if exact == len(found) and summary["damaged"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
