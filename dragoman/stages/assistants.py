"""Opens the assistant a run made: the one object that is evaluated, judged and served."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dragoman.app.assistant import Assistant, NoModel
from dragoman.app.steps.classify import Classify
from dragoman.app.steps.few_shot import FewShot
from dragoman.app.steps.tidy import Tidy
from dragoman.app.steps.zero_shot import ZeroShot
from dragoman.core import durable
from dragoman.core.doors import Embedder
from dragoman.core.errors import UserError
from dragoman.core.runs import Run, all_runs, find
from dragoman.stages.exported import placed

__all__ = [
    "ALIGNED",
    "CARD",
    "MODEL",
    "PROMPTED",
    "RAG",
    "RUNGS",
    "Opened",
    "open_assistant",
    "pick",
    "size_mb",
    "write_card",
]

MODEL = "model"
CARD = "dragoman.json"
PROMPTED = ("zero_shot", "few_shot", "chain_of_thought")
"rungs that learn no weight"
ALIGNED = ("preference", "ppo")
"rungs that go on from one that learnt from answers"
RAG = "rag"
"the rung that answers from documents"
RUNGS = (
    *PROMPTED,
    RAG,
    *("head", "soft_prompt", "prefix", "bitfit", "ia3", "layers", "adapter", "lora", "dora", "qlora", "full"),
    *ALIGNED,
)
"every rung, from cheap to dear"


@dataclass(frozen=True)
class Opened:
    """An assistant with what is known about it: the run it came from and what its card says."""

    assistant: Assistant
    run: Run
    card: Mapping[str, Any]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it chooses among."""
        return tuple(self.card["labels"])

    @property
    def task(self) -> str:
        """What the scope calls its task."""
        return str(self.card.get("task", "classify"))

    @property
    def multi_label(self) -> bool:
        """Whether several labels may hold for one text."""
        return bool(self.card["multi_label"])


def pick(root: Path, word: str) -> Run:
    """The run whose model a person means by a word; without a word, the one that the newest verdict chose.

    The name of a rung is its newest finished run, learnt from all rows: a learning curve leaves runs on fewer behind.
    """
    done = [one for one in all_runs(root) if one.finished]
    if word in RUNGS:
        whole = [one for one in done if not one.settings.get("rows") and not one.results.get("discarded")]
        named = [one for one in whole if one.verb == word]
        if not named:
            raise UserError(f"no {word} in {root} is finished", "dragoman run --all climbs every rung")
        return named[-1]
    if word in ("", "run"):
        judged = [one for one in done if one.verb == "run"] or [one for one in done if one.verb in RUNGS]
        if not judged:
            raise UserError(f"there is no verdict yet in {root}", "make one with: dragoman run")
        return _chosen(judged[-1], root)
    return _chosen(find(root, word), root)


def _chosen(run: Run, root: Path) -> Run:
    """The rung that answers for a run: itself, or the one that a run, a judgement or an evaluation was about."""
    if run.verb in RUNGS:
        return run
    name = run.results.get("rung_run")
    if not name:
        raise UserError(f"{run.id} holds no model", "name a rung's run, such as lora: dragoman runs lists them")
    return find(root, str(name))


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write what is needed to open the assistant into the model folder of a run."""
    (folder / CARD).write_text(json.dumps(dict(card), indent=1, ensure_ascii=False), encoding="utf-8")


def open_assistant(run: Run, embedder: Embedder | None = None) -> Opened:
    """The assistant of a finished rung, its files held against their manifest first.

    `embedder` saves loading the base model again where it is open already. Raises UserError when the run is not
    finished, holds no model, or is damaged.
    """
    folder = run.folder / MODEL
    if not run.finished or not (folder / CARD).exists():
        raise UserError(f"{run.id} holds no finished model", "list the runs with: dragoman runs")
    wrong = durable.problems(folder)
    if wrong:
        raise UserError(wrong[0], "make it again with the command that made it: dragoman run")
    card = placed(json.loads((folder / CARD).read_text(encoding="utf-8")), folder)
    labels, several = tuple(card["labels"]), bool(card["multi_label"])
    if card["kind"] == "classifier":
        from dragoman.models.open import open_classifier

        lm = open_classifier(folder)
        return Opened(Assistant(lm, (Tidy(), Classify(labels, several))), run, card)
    if card["kind"] in ("tagger", "extractor"):
        from dragoman.stages.train_reader import open_reader

        return Opened(open_reader(folder, card), run, card)
    if card["kind"] == RAG:
        from dragoman.stages.rag import open_rag

        return Opened(open_rag(folder, card), run, card)
    if card["kind"] == "writer":
        return Opened(_writer(folder, card), run, card)
    embedder = embedder or _embedder(card)
    if card["kind"] == "zero_shot":
        step = ZeroShot(embedder, labels, tuple(card["descriptions"]), card["temperature"], multi_label=several)
        return Opened(Assistant(NoModel(), (Tidy(), step)), run, card)
    return Opened(Assistant(NoModel(), (Tidy(), _few_shot(folder, card, embedder, labels, several))), run, card)


def _few_shot(
    folder: Path, card: Mapping[str, Any], embedder: Embedder, labels: tuple[str, ...], several: bool
) -> FewShot:
    from safetensors.numpy import load_file

    vectors = load_file(folder / "examples.safetensors")["vectors"]
    answers = json.loads((folder / "examples.json").read_text(encoding="utf-8"))
    return FewShot(
        embedder,
        np.asarray(vectors, dtype=np.float32),
        tuple(tuple(answer) for answer in answers),
        labels,
        neighbours=card["neighbours"],
        temperature=card["temperature"],
        multi_label=several,
    )


def _writer(folder: Path, card: Mapping[str, Any]) -> Assistant:
    """An assistant that answers in its own words: the model of the folder, or its base as the card says."""
    from dragoman.stages.writers import open_writer, steps_of

    return Assistant(open_writer(folder, card), steps_of(folder, card))


def _embedder(card: Mapping[str, Any]) -> Embedder:
    from dragoman.models.open import open_embedder
    from dragoman.models.source import fingerprint, resolve

    base = resolve(card["base"])
    if fingerprint(base) != card["fingerprint"]:
        raise UserError(
            f"{card['base']} is not the model this run was made with", "make the run again with: dragoman run"
        )
    embedder: Embedder = open_embedder(base, max_length=card["max_length"])
    return embedder


def size_mb(run: Run) -> float:
    """The weights and tokenizer an assistant needs on disk, in megabytes; a prompt rung needs its base model."""
    folder = run.folder / MODEL
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    return float(size + card.get("base_bytes", 0)) / 1e6
