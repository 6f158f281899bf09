"""Named entities with MiniLM: entity F1 on the development part of WNUT-17, beside each word's most frequent tag.

python -m benchmarks.tagging [--rate 3e-4] [--epochs 4] [--tuning full] [--head-pace 5] [--seed 0] [--rows 0]
"""

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.side_by_side import ROOT

DATA = ROOT.parent / "shared" / "data" / "token_classification"
LONGEST = 128

Sentence = tuple[tuple[str, ...], tuple[str, ...]]


def read(path: Path) -> list[Sentence]:
    """The sentences of a CoNLL file as (words, tags): a word and its tag on a line, a line of white space between."""
    found: list[Sentence] = []
    lines = path.read_text(encoding="utf-8").split("\n")
    for filled, group in groupby(lines, key=lambda line: bool(line.strip())):
        if filled:
            rows = [line.rsplit("\t", 1) for line in group]
            found.append((tuple(row[0].strip().replace(" ", "_") for row in rows), tuple(row[1] for row in rows)))
    return found


def f1(said: Sequence[Sequence[str]], sentences: Sequence[Sentence]) -> float:
    """Entity F1 over all sentences."""
    import numpy as np

    from dragoman.core.types import Answer
    from dragoman.metrics.entity_f1 import EntityF1

    metric = EntityF1()
    rows = [
        metric.measure(Answer(" ".join(tags), tuple(tags)), right)
        for tags, (_, right) in zip(said, sentences, strict=True)
    ]
    return float(metric.combine(np.stack(rows)))


def frequent(train: Sequence[Sentence], asked: Sequence[Sentence]) -> list[list[str]]:
    """Each word's most frequent tag in training, O for a word that did not occur: what needs no model."""
    counts: dict[str, Counter[str]] = {}
    for words, tags in train:
        for word, tag in zip(words, tags, strict=True):
            counts.setdefault(word, Counter())[tag] += 1
    best = {word: seen.most_common(1)[0][0] for word, seen in counts.items()}
    return [[best.get(word, "O") for word in words] for words, _ in asked]


def learn(train: Sequence[Sentence], held: Sequence[Sentence], wanted: argparse.Namespace) -> dict[str, Any]:
    """MiniLM trained and measured after each epoch; the best epoch's figure is chosen on `held` itself."""
    from dragoman.core.sampling import Sampling
    from dragoman.core.types import Example, Message
    from dragoman.models.source import resolve
    from dragoman.models.tagger import LocalTagger
    from dragoman.nn.headed import load_tagger
    from dragoman.nn.heads import Tagger
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.doors import TUNINGS, How
    from dragoman.train.objectives.tag import Tag
    from dragoman.train.session import learn as train_on
    from dragoman.train.watch import Watch

    folder = resolve("builtin:minilm")
    labels = tuple(sorted({tag for _, tags in train for tag in tags}))
    tokenizer = Tokenizer(folder)
    prompts = [[Message("user", " ".join(words))] for words, _ in held]

    def measure(net: Tagger) -> dict[str, float]:
        tagger = LocalTagger(net, tokenizer, max_length=LONGEST)
        figure = f1([one.text.split(" ") for one in tagger.generate(prompts, Sampling())], held)
        print(f"entity F1 {figure:.4f} after {time.monotonic() - begun:.0f} s", flush=True)
        return {"entity_f1": figure}

    examples = [Example((Message("user", " ".join(words)),), tags) for words, tags in train]
    how = How(epochs=wanted.epochs, rate=wanted.rate, max_length=LONGEST, seed=wanted.seed, patience=0)
    settings = {"head_pace": wanted.head_pace} if wanted.tuning in ("full", "layers") else {}
    tuning = TUNINGS.make(wanted.tuning, settings, "tuning")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        net = load_tagger(folder, labels, seed=wanted.seed)
        watch = Watch("entity_f1")
        done = train_on(net, tokenizer, Tag(), tuning, examples, how, Path(place), measure, watch, print)
    last = done.history[-1]["entity_f1"]
    return {"best": done.best["entity_f1"], "last": last, "seconds": done.seconds, "steps": done.steps}


def main() -> int:
    """Print the figures as JSON."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--epochs", type=float, default=4.0)
    parser.add_argument("--tuning", default="full")
    parser.add_argument("--head-pace", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=0, help="learn from so many sentences; 0 is all")
    wanted = parser.parse_args()
    if not DATA.is_dir():
        print(f"WNUT-17 does not lie in {DATA.name}")
        return 1
    train, held = read(DATA / "wnut17_train.conll"), read(DATA / "wnut17_dev.conll")
    train = train[: wanted.rows or None]
    found: dict[str, Any] = {"sentences": len(train), "held": len(held), "settings": vars(wanted)}
    found["all O"] = f1([["O"] * len(words) for words, _ in held], held)
    found["most frequent tag"] = f1(frequent(train, held), held)
    found |= learn(train, held, wanted)
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
