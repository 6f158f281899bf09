"""Alignment on real text: a character model that learns to write e, stories that turn happy, a reward from people.

python -m benchmarks.align [--only letters mood choices] [--dry]

Each is a tour through the real command line in an empty folder. The figures are told beside what was there before and
what must be beaten; without --dry each becomes a section of docs/performance.md.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.side_by_side import ROOT, machine, replace_section

HEADINGS = {
    "letters": "A policy that likes e",
    "mood": "A policy that likes happy stories",
    "choices": "A reward from people",
}
DATA = ROOT.parent / "shared" / "data"
PLAY = DATA / "pretrain" / "tinyshakespeare.txt"
HELD = 0.1
"the last share of the play, on which the loss on natural text is measured"
Told = list[tuple[str, str]]


def dragoman(folder: Path, *words: str) -> dict[str, Any]:
    """The results of the run that a command made. Raises RuntimeError with what it said where it failed."""
    command = [sys.executable, "-m", "dragoman", *words, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    said = json.loads(done.stdout.strip().splitlines()[-1])
    record = json.loads((folder / "runs" / said["run"] / "run.json").read_text(encoding="utf-8"))
    return {**record["results"], "model": str(folder / "runs" / said["run"] / "model")}


def project(folder: Path, task: str, source: str, model: str, length: int, metric: str, extra: str = "") -> None:
    """A project file."""
    (folder / "dragoman.toml").write_text(
        f'[scope]\nname = "{task}"\nobjective = "Measure."\ntask = "{task}"\ntarget = {{ {metric} = ">= 0.0" }}\n'
        f'[data]\nsource = "{source}"\nkeep_going = true\n{extra}[models]\ncandidates = ["{model}"]\n'
        f"max_length = {length}\n",
        encoding="utf-8",
    )


def rows(path: Path, texts: Sequence[str]) -> None:
    """Texts as rows."""
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")


def policy(folder: Path, *words: str) -> Told:
    """Learn from a reward, and what that was worth."""
    begun = time.monotonic()
    told = dragoman(
        folder, "train", "objective=rloo", "tuning=full", "objective.must_stop=false", "train.batch=64", *words
    )
    spent = time.monotonic() - begun
    aligned = told["alignment"]
    gain, before, after = aligned["gain"], aligned["before"], aligned["after"]
    sample = aligned["samples"][0]
    lines = [
        ("reward", f"{before['reward']:.2f} before, {after['reward']:.2f} after"),
        ("gain, paired", f"{gain['value']:+.2f} [{gain['low']:+.2f}, {gain['high']:+.2f}] on {gain['n']} prompts"),
        ("KL to the model as it was", f"{after['kl']:.1f} nats an answer"),
        ("loss on natural text", f"{before['natural_loss']:.3f} to {after['natural_loss']:.3f} nats a token"),
        ("best of 16 of the model as it was", f"{aligned['best_of_n'][-1]['reward']:.2f} at 1.8 nats"),
        ("alarms", aligned["stopped"] or "none"),
        ("seconds, all in all", f"{spent:.0f}"),
        ("before", repr(sample["prompt"] + sample["before"])),
        ("after", repr(sample["prompt"] + sample["after"])),
    ]
    if "gold" in after:
        lines.insert(
            2, ("second classifier, not learnt from", f"{before['gold']:.2f} before, {after['gold']:.2f} after")
        )
    return lines


def letters(folder: Path) -> Told:
    """A character model of the play, rewarded by how many of 24 characters are e."""
    made = dragoman(
        folder, "pretrain", str(PLAY), "tokenizer=characters", "size=800K", f"corpus.held_out={HELD}",
        "corpus.quality.preset=none", "train.max_length=64", "train.batch=16", "train.steps=300",
    )  # fmt: skip
    play, dice = PLAY.read_text(encoding="utf-8"), random.Random(0)
    end = int(len(play) * (1 - HELD))
    rows(folder / "texts.jsonl", [play[at : at + 48] for at in (dice.randrange(end - 60) for _ in range(2000))])
    rows(folder / "general.jsonl", [play[at : at + 400] for at in range(end, len(play) - 400, 400)])
    plain = 'shape = "plain"\nnear_duplicate = 1.0\ngeneral = "general.jsonl"\n'
    project(folder, "write", "texts.jsonl", made["model"], 64, "repetition", plain)
    beta = 0.3
    told = policy(
        folder, "objective.reward=count:e", "objective.prompt_tokens=16", "objective.max_tokens=24",
        f"objective.beta={beta}", "objective.samples=4", "train.rate=3e-4", "train.steps=100", "objective.every=20",
    )  # fmt: skip
    return [("beta", str(beta)), *told]


def mood(folder: Path) -> Told:
    """Stories of a model of 260 thousand weights, rewarded by a classifier of moods that is trained here."""
    train, dev = (DATA / "classification" / f"sst2_{part}.jsonl" for part in ("train", "dev"))
    project(
        folder, "classify", str(train), "builtin:minilm", 64, "accuracy", f'validation = "{dev}"\noverlap = "drop"\n'
    )
    judge = dragoman(folder, "train", "tuning=layers", "train.epochs=3")
    other = dragoman(folder, "train", "tuning=head", "train.epochs=10")
    names, dice = ("Lily", "Tom", "Mia", "Ben", "Sue", "Max"), random.Random(0)
    seen = ("a dog", "a big ball", "a red car", "a bird", "a cake", "a tree")
    begins = [
        f"Once upon a time, there was a child named {dice.choice(names)}. One day there was {one}." for one in seen
    ]
    rows(folder / "texts.jsonl", [f"{text} {number}" for number in range(50) for text in begins])
    plain = 'shape = "plain"\nnear_duplicate = 1.0\n'
    project(folder, "write", "texts.jsonl", str(DATA / "models" / "stories260K"), 128, "repetition", plain)
    told = policy(
        folder, f"objective.reward=label:{judge['model']}#1", f"objective.second=label:{other['model']}#1",
        "objective.prompt_tokens=12", "objective.max_tokens=32", "objective.beta=0.1", "objective.samples=4",
        "train.rate=2e-4", "train.steps=60", "objective.every=15",
    )  # fmt: skip
    accuracy = [f"{one['best']['accuracy']:.3f}" for one in (judge, other)]
    return [("accuracy of the two classifiers", " and ".join(accuracy)), *told]


def choices(folder: Path) -> Told:
    """A model of what people find more harmless, on pairs it never learnt from."""
    project(folder, "chat", str(DATA / "preference" / "hh_harmless.jsonl"), "builtin:minilm", 256, "rougel")
    begun = time.monotonic()
    told = dragoman(folder, "train", "objective=reward", "tuning=full", "train.epochs=2")
    scorer = told["scorer"]

    def share(one: dict[str, Any]) -> str:
        return "{value:.1%} [{low:.1%}, {high:.1%}]".format(**one["accuracy"])

    return [
        ("accuracy", f"{share(scorer)} of {scorer['pairs']} pairs"),
        *((f"rule: {name}", share(one)) for name, one in sorted(scorer["baselines"].items())),
        ("surprise", f"{scorer['nll']['value']:.4f} nats a pair; a coin's is 0.6931; slope {scorer['slope']:.2f}"),
        ("seconds, all in all", f"{time.monotonic() - begun:.0f}"),
    ]


TOURS: dict[str, Callable[[Path], Told]] = {"letters": letters, "mood": mood, "choices": choices}


def main() -> None:
    """Take the tours and tell their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=TOURS, default=list(TOURS))
    parser.add_argument("--dry", action="store_true", help="change no file")
    given = parser.parse_args()
    threads = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))
    for name in given.only:
        print(f"{name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as place:
            told = TOURS[name](Path(place))
        lines = [f"`python -m benchmarks.align --only {name}`: {TOURS[name].__doc__}", "", "| | |", "|---|---|"]
        lines += [f"| {key} | {value} |" for key, value in told]
        whole = "\n".join([*lines, "", machine(["torch"], threads)])
        print(whole, flush=True)
        if not given.dry:
            replace_section(ROOT / "docs" / "performance.md", HEADINGS[name], whole)


if __name__ == "__main__":
    main()
