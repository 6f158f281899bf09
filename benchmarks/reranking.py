"""Ranking again: what a cross-encoder that is trained here adds to the hybrid search, on Cranfield's queries.

The queries are cut into folds; for each a model learns from the pairs of the others, mined by words from the index, and
rates what the hybrid search finds for this one's: no query is measured by a model that saw one of its judgements.

python -m benchmarks.reranking [--data FOLDER] [--folds 2] [--measured 0] [--negatives 2] [--epochs 2]
    [--model SPEC] [--folder FOLDER] [--dry]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval import Collection, read_cranfield
from benchmarks.side_by_side import ROOT, machine, replace_section
from dragoman.core.documents import Batch, Document, Hit
from dragoman.core.show import many
from dragoman.data.chunk import cut
from dragoman.evals.questions import Place, Question
from dragoman.evals.retrieval import Ranked, compare_rankings, score_rankings
from dragoman.stages.index import build_index
from dragoman.stages.ranking_pairs import ranking_pairs
from dragoman.stages.shelf import Facts, Shelf

__all__ = ["folds_of"]

HEADING = "Ranking again"
FIGURES = ("ndcg@10", "map", "mrr")
DEPTH = 50
"pieces that are rated again"
TOKENS = 200
"the most of a piece; with a question it fits into what is read of a row, so nothing is cut"
HYBRID, AGAIN, BOTH = "hybrid", "hybrid, ranked again", "hybrid, ranked again, the mean of both"
PROJECT = """
[scope]
name = "reranker"
objective = "Rate passages by how well they answer a question."
task = "chat"
target = {{ exact_match = ">= 0.1" }}
[data]
source = "pairs.jsonl"
split = [0.86, 0.09, 0.05]
[models]
candidates = ["{model}"]
[train]
batch = 16
rate = {rate}
epochs = {epochs}
max_length = {length}
"""


def folds_of(names: Sequence[str], folds: int) -> list[list[str]]:
    """The queries in so many parts, each about as large as the others."""
    order = np.random.default_rng(0).permutation(len(names))
    return [[names[int(place)] for place in order[part::folds]] for part in range(folds)]


def indexed(collection: Collection, folder: Path, embedder: str) -> Shelf:
    """An index of the documents in pieces, as `dragoman index` cuts them."""
    shelf = build_index(folder / "index.sqlite", Facts((str(folder),), embedder, TOKENS, 0.1, 0))
    assert shelf.embedder is not None
    cutting = shelf.facts.cutting(shelf.embedder)
    for name, title, text in zip(collection.names, collection.titles, collection.texts, strict=True):
        pieces = tuple(cut(Document(name, text, title=title), cutting))
        vectors = shelf.embedder.embed([one.embedded for one in pieces])
        shelf.store.apply(Batch(name, "1", title, pieces, vectors))
    shelf.keep()
    return shelf


def trained(questions: Sequence[Question], shelf: Shelf, folder: Path, given: argparse.Namespace) -> tuple[str, int]:
    """A model that learnt from those questions: the name of its run, and how many pairs there were."""
    folder.mkdir(exist_ok=True)
    made = ranking_pairs(questions, shelf, given.negatives)
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made.rows), encoding="utf-8")
    settings = {"model": given.model, "rate": given.rate, "epochs": given.epochs, "length": given.length}
    (folder / "dragoman.toml").write_text(PROJECT.format(**settings), encoding="utf-8")
    words = [sys.executable, "-m", "dragoman", "train", "objective=reward", "tuning=full", "--json"]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=path, check=False)
    if told.returncode:
        raise RuntimeError(told.stderr[-2000:])
    return str(folder / "runs" / json.loads(told.stdout.splitlines()[-1])["run"]), len(made.rows)


def evened(scores: Sequence[float]) -> NDArray[np.float64]:
    """Scores with mean 0 and variance 1, so that two kinds can be added."""
    found = np.array(scores, dtype=np.float64)
    even: NDArray[np.float64] = (found - found.mean()) / (found.std() or 1.0)
    return even


def orders(hits: list[Hit], rated: Sequence[float]) -> dict[str, list[str]]:
    """The sources of the hits in the order of each arm; those behind the first DEPTH stay behind."""
    first, rest = hits[:DEPTH], [hit.chunk.source for hit in hits[DEPTH:]]
    both = evened([hit.score for hit in first]) + evened(rated)
    names = [hit.chunk.source for hit in first]
    found = {HYBRID: names + rest}
    for label, scores in ((AGAIN, np.array(rated)), (BOTH, both)):
        found[label] = [names[int(place)] for place in np.argsort(-scores, kind="stable")] + rest
    return found


def measured(given: argparse.Namespace, folder: Path) -> tuple[dict[str, Ranked], list[str]]:
    """The rankings of every query by each arm, and what there is to say of the training."""
    from dragoman.models.cross_encoder import open_cross_encoder

    collection = read_cranfield(given.data / "rag" / "cranfield")
    shelf = indexed(collection, folder, "builtin:minilm")
    asked = {
        name: Question(name, text, relevant=tuple(Place(one) for one, gain in judged.items() if gain > 0))
        for (name, text), judged in zip(collection.queries.items(), collection.relevance.values(), strict=True)
    }
    find = replace(shelf.find(), how=replace(shelf.find().how, depth=1000))
    rankings: dict[str, dict[str, list[str]]] = {}
    said = []
    parts = folds_of(list(asked), given.folds)
    for number, held in enumerate(parts[: given.measured or None]):
        begun = time.monotonic()
        others = [asked[name] for part in parts if part is not held for name in part]
        run, pairs = trained(others, shelf, folder / f"fold{number}", given)
        spent = time.monotonic() - begun
        record = json.loads((Path(run) / "run.json").read_text(encoding="utf-8"))["results"]
        told, long = record["scorer"]["accuracy"], record["scorer"]["too_long"]
        begun = time.monotonic()
        reader = open_cross_encoder(run)
        for name in held:
            hits = find(asked[name].text, 1000)
            first = [hit.chunk.embedded for hit in hits[:DEPTH]]
            rated = reader.rate([asked[name].text] * len(first), first).tolist()
            for label, order in orders(hits, rated).items():
                rankings.setdefault(label, {})[name] = order
        each = (time.monotonic() - begun) / len(held) * 1000
        said.append(
            f"Fold {number + 1}: {len(others)} queries, {pairs:,} pairs, trained in {spent:,.0f} s; of pairs of "
            f"validation {told['value']:.3f} [{told['low']:.3f}, {told['high']:.3f}] the right way round, "
            f"{long} too long; {each:,.0f} ms a query."
        )
        print(said[-1], file=sys.stderr, flush=True)
    shelf.store.close()
    return {label: score_rankings(one, collection.relevance, FIGURES) for label, one in rankings.items()}, said


def told(found: dict[str, Ranked], said: Sequence[str]) -> str:
    """A table of the arms, and what each gains on the hybrid search, query by query."""
    lines = ["| Cranfield, 1,400 documents | " + " | ".join(FIGURES) + " |", "|---" * (len(FIGURES) + 1) + "|"]
    for label, one in found.items():
        estimates = one.estimates()
        cells = [f"{estimates[key].value:.4f} [{estimates[key].low:.3f}, {estimates[key].high:.3f}]" for key in FIGURES]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    gains = []
    for label in (AGAIN, BOTH):
        change = compare_rankings(found[HYBRID], found[label], FIGURES[0]).difference
        gains.append(f"{label} - {HYBRID}, {FIGURES[0]}: {change.value:+.4f} [{change.low:+.4f}, {change.high:+.4f}].")
    return "\n\n".join(["\n".join(lines), *gains, *said])


def main() -> None:
    """Measure, print, and write the section into docs/performance.md."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    words.add_argument("--folds", type=int, default=2)
    words.add_argument("--measured", type=int, default=0, help="so many of the folds alone; 0 measures all")
    words.add_argument("--folder", type=Path, help="where the work is kept, to go on with; else it is thrown away")
    words.add_argument("--negatives", type=int, default=2)
    words.add_argument("--epochs", type=float, default=2.0)
    words.add_argument("--rate", type=float, default=2e-4)
    words.add_argument("--length", type=int, default=288)
    words.add_argument("--model", default="builtin:minilm")
    words.add_argument("--dry", action="store_true", help="print only; leave docs/performance.md as it is")
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as thrown:
        folder = given.folder or Path(thrown)
        folder.mkdir(parents=True, exist_ok=True)
        found, said = measured(given, folder)
    how = f"Learnt from {given.model} with {many(given.negatives, 'negative')} a passage, {given.epochs:g} epochs, "
    how += f"rate {given.rate:g}, {given.length} tokens."
    body = "\n\n".join([told(found, [how, *said]), machine(["numpy", "torch", "PyStemmer"], 1)])
    body += "\n\nAgain: `python -m benchmarks.reranking`"
    print(body)
    if not given.dry:
        replace_section(ROOT / "docs" / "performance.md", HEADING, body)


if __name__ == "__main__":
    main()
