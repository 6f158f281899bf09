"""A tiny classifier, a tokenizer of whole words and a task it can learn: training in milliseconds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from dragoman.core.types import Example, Message
from dragoman.nn.arch import Arch
from dragoman.nn.encoder import fresh_encoder, initialise
from dragoman.nn.heads import Classifier, Head
from dragoman.train.doors import How, Objective, Step, Tuning
from dragoman.train.loop import Training, begin, fit
from dragoman.train.objectives.classify import Classify
from dragoman.train.session import Measure, Outcome, learn
from dragoman.train.tuning.full import Full
from dragoman.train.watch import Watch

__all__ = [
    "ARCH",
    "HOW",
    "LABELS",
    "STILL",
    "Words",
    "accuracy",
    "begun",
    "bits",
    "examples",
    "learned",
    "net",
    "steps",
]

ARCH = Arch("bert", 64, 16, 3, 4, 32, positions=24, initial_std=0.3)
STILL = replace(ARCH, dropout=0.0, attention_dropout=0.0, head_dropout=0.0)
"nothing is random in it but the order of the examples"
LABELS = ("animal", "colour", "number")
VOCABULARY = {
    "animal": ("cat", "dog", "hen", "cow"),
    "colour": ("red", "blue", "pink"),
    "number": ("one", "two", "six"),
}
FILLING = ("the", "a", "of", "is", "on", "and", "very", "so", "it", "was")
HOW = How(epochs=3, rate=1e-2, batch=8, precision="fp32", device="cpu", max_length=12, patience=0)


@dataclass
class Words:
    """One token a word; ids are fixed by the word lists above."""

    pad_id: int = 0

    def encode(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """[CLS] words [SEP], cut on the right."""
        return [[1, *self._body(text)[: max_length - 2], 2] for text in texts]

    def count(self, texts: Sequence[str]) -> list[int]:
        """How long each is uncut."""
        return [len(self._body(text)) + 2 for text in texts]

    def _body(self, text: str) -> list[int]:
        known = [*FILLING, *(word for words in VOCABULARY.values() for word in words)]
        return [3 + known.index(word) if word in known else 63 for word in text.split()]


def examples(count: int = 40, multi_label: bool = False, seed: int = 0) -> list[Example]:
    """Short texts in which one word, or two, decide the label."""
    dice = torch.Generator().manual_seed(seed)

    def pick(choices: Sequence[str]) -> str:
        return choices[int(torch.randint(len(choices), (1,), generator=dice))]

    found = []
    for row in range(count):
        held = {LABELS[row % 3], pick(LABELS)} if multi_label else {LABELS[row % 3]}
        words = [pick(VOCABULARY[label]) for label in sorted(held)]
        words += [pick(FILLING) for _ in range(int(torch.randint(0, 4, (1,), generator=dice)))]
        found.append(Example((Message("user", " ".join(words)),), tuple(sorted(held)), meta={"id": f"e{row}"}))
    return found


def net(arch: Arch = ARCH, multi_label: bool = False, seed: int = 0) -> Classifier:
    """A fresh classifier for LABELS."""
    found = Classifier(fresh_encoder(arch, seed), Head(arch, len(LABELS)), LABELS, multi_label)
    initialise(found.head, 0.05, seed + 1)
    return found.eval()


def begun(
    tuning: Tuning | None = None,
    how: How = HOW,
    model: Classifier | None = None,
    objective: Objective | None = None,
    rows: Sequence[Example] | None = None,
) -> Training:
    """A training before its first step."""
    return begin(
        model or net(), Words(), objective or Classify(), tuning or Full(), examples() if rows is None else rows, how
    )


def steps(training: Training, count: int = 10**6) -> list[Step]:
    """Take so many steps, or all."""
    return [step for _, step in zip(range(count), fit(training), strict=False)]


def bits(training: Training) -> dict[str, bytes]:
    """Every bit of the weights and of AdamW's state, frozen weights included."""
    found = {name: weight.detach().numpy().tobytes() for name, weight in training.net.named_parameters()}
    for name, weight in training.weights.items():
        for key, value in training.optimisers[0].state.get(weight, {}).items():
            found[f"{key}/{name}"] = value.numpy().tobytes()
    return found


def accuracy(model: Classifier) -> dict[str, float]:
    """The share of 30 other examples it labels right, and the mean of its first logit, which tells all nets apart."""
    rows = examples(30, seed=7)
    right, total = 0, 0.0
    for row in rows:
        logits = model(torch.tensor(Words().encode([row.text], 12)), None)[0].detach()
        right += model.labels[int(logits.argmax())] == row.answers[0]
        total += float(logits[0])
    return {"accuracy": right / len(rows), "logit": total / len(rows)}


def learned(
    folder: Path,
    tuning: Tuning | None = None,
    how: How = HOW,
    measure: Measure = accuracy,
    said: list[str] | None = None,
    watch: Watch | None = None,
    model: Classifier | None = None,
) -> Outcome:
    """A whole session in a folder."""
    heard: list[str] = [] if said is None else said
    return learn(
        model or net(),
        Words(),
        Classify(),
        tuning or Full(),
        examples(),
        how,
        folder,
        measure,
        watch or Watch("accuracy"),
        heard.append,
    )
