"""The two rungs that learn no weight: by label descriptions (zero_shot), by nearest labelled examples (few_shot)."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dragoman.app.nearest import tune
from dragoman.core import durable
from dragoman.core.doors import Embedder
from dragoman.core.project import Project
from dragoman.core.runs import Run
from dragoman.core.show import Tick, silent
from dragoman.core.sizing import peak_memory, reset_peak_memory
from dragoman.core.types import Example
from dragoman.stages.assistants import MODEL, write_card
from dragoman.stages.prepare import part
from dragoman.stages.train import stored_project

__all__ = ["Candidate", "few", "few_shot", "open_base", "zero_shot"]

TEMPERATURE = 0.05  # of the cosines to label descriptions; nothing is fitted, so that zero-shot means zero


@dataclass(frozen=True)
class Candidate:
    """An untouched model, open as an embedder."""

    spec: str
    folder: Path
    fingerprint: str
    embedder: Embedder | None = None
    "None where its answers are no labels"

    def card(self, kind: str, project: Project, labels: Sequence[str]) -> dict[str, Any]:
        """What every card of a prompt rung says."""
        return {
            "kind": kind,
            "labels": list(labels),
            "multi_label": project.scope.multi_label,
            "base": self.spec if self.spec.startswith(("builtin:", "hf:")) else str(self.folder),
            "fingerprint": self.fingerprint,
            "base_bytes": sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file()),
            "max_length": project.models.max_length,
        }


def open_base(project: Project, spec: str) -> Candidate:
    """Open a candidate as it was published."""
    from dragoman.models.open import open_embedder
    from dragoman.models.source import fingerprint, resolve

    folder = resolve(project.place(spec))
    return Candidate(spec, folder, fingerprint(folder), open_embedder(folder, max_length=project.models.max_length))


def zero_shot(project: Project, prepared: Run, base: Candidate, tick: Tick = silent) -> Run:
    """The rung that knows the labels by one sentence each, and nothing else."""
    labels = tuple(prepared.results["labels"])
    described = [prepared.results["descriptions"][label] for label in labels]
    settings = {"descriptions": described, "temperature": TEMPERATURE, "max_length": project.models.max_length}
    run = Run.begin(project.runs_folder, "zero_shot", settings, {"parts": prepared, base.spec: base.fingerprint})
    if run.finished:
        tick(1.0, "found again")
        return run
    card = {**base.card("zero_shot", project, labels), "descriptions": described, "temperature": TEMPERATURE}

    def fill(stage: Path) -> None:
        write_card(stage, card)

    durable.publish(run.folder / MODEL, fill)
    return run.finish({"seconds": 0.0, "memory": 0, "project": stored_project(project), "base": base.spec}, (MODEL,))


def few_shot(project: Project, prepared: Run, base: Candidate, tick: Tick = silent) -> Run:
    """The rung that asks the nearest labelled examples; how many vote is found by leaving each row out once."""
    labels = tuple(prepared.results["labels"])
    settings = {"max_length": project.models.max_length, "seed": project.data.seed, "shots": project.ladder.shots}
    run = Run.begin(project.runs_folder, "few_shot", settings, {"parts": prepared, base.spec: base.fingerprint})
    if run.finished:
        tick(1.0, "found again")
        return run
    begun = time.monotonic()
    embedder = base.embedder
    assert embedder is not None
    reset_peak_memory()
    rows = few(part(prepared, "train"), project.ladder.shots, project.data.seed)
    texts = [example.text for example in rows]
    vectors = np.concatenate(
        [_embedded(embedder, texts[at : at + 256], at, len(texts), tick) for at in range(0, len(texts), 256)]
    )
    held = np.array([[float(label in example.answers) for label in labels] for example in rows])
    chosen = tune(vectors, held, multi_label=project.scope.multi_label, seed=project.data.seed)
    card = base.card("few_shot", project, labels)
    card |= {"neighbours": chosen.neighbours, "temperature": chosen.temperature}
    answers = [list(example.answers) for example in rows]
    durable.publish(run.folder / MODEL, lambda stage: _write(stage, card, vectors, answers))
    facts: Mapping[str, Any] = {
        "seconds": time.monotonic() - begun,
        "memory": peak_memory(),
        "neighbours": chosen.neighbours,
        "temperature": chosen.temperature,
        "left_out_accuracy": chosen.accuracy,
        "project": stored_project(project),
        "base": base.spec,
    }
    return run.finish(facts, (MODEL,))


def few(rows: Sequence[Example], shots: int, seed: int) -> list[Example]:
    """At most `shots` rows of each label (all for 0), drawn with the seed; a row of several labels counts for each."""
    if not shots:
        return list(rows)
    taken: Counter[str] = Counter()
    kept = []
    for index in np.random.default_rng(seed).permutation(len(rows)):
        if any(taken[label] < shots for label in rows[index].answers):
            taken.update(rows[index].answers)
            kept.append(int(index))
    return [rows[index] for index in sorted(kept)]


def _embedded(embedder: Embedder, texts: Sequence[str], at: int, total: int, tick: Tick) -> NDArray[np.float32]:
    tick(at / total, f"{at:,} of {total:,} examples embedded")
    return embedder.embed(texts)


def _write(
    stage: Path, card: Mapping[str, Any], vectors: NDArray[np.float32], answers: Sequence[Sequence[str]]
) -> None:
    from safetensors.numpy import save_file

    write_card(stage, card)
    save_file({"vectors": np.ascontiguousarray(vectors)}, stage / "examples.safetensors")
    (stage / "examples.json").write_text(json.dumps(answers, ensure_ascii=False), encoding="utf-8")
