"""A world that is trained in a second, with every kind of net in it: to be killed, damaged and compared.

Texts are generated, nets are random, nothing is downloaded. The loop, the sessions and the checkpoints are those of any
other training, so what holds here at every instant holds there.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dragoman.core import durable
from dragoman.core.shards import Documents
from dragoman.core.types import Example, Message
from dragoman.nn.arch import Arch
from dragoman.nn.encoder import fresh_encoder, initialise
from dragoman.nn.heads import Classifier, Head
from dragoman.nn.store import fresh_lm
from dragoman.train.doors import How, Kit, Objective, Step, Tuning
from dragoman.train.held_out import hold_out
from dragoman.train.loop import Training, begin
from dragoman.train.objectives.classify import Classify
from dragoman.train.objectives.clm import Clm
from dragoman.train.objectives.mlm import Mlm
from dragoman.train.objectives.span import Span
from dragoman.train.packing import Texts
from dragoman.train.session import Outcome, learn
from dragoman.train.tuning.full import Full
from dragoman.train.tuning.head import Head as HeadTuning
from dragoman.train.tuning.layers import Layers
from dragoman.train.tuning.lora import Lora
from dragoman.train.tuning.scratch import Scratch
from dragoman.train.watch import Watch

__all__ = [
    "LABELS",
    "TRIALS",
    "Numbers",
    "Trial",
    "begun",
    "bits",
    "corpus",
    "examples",
    "fresh",
    "one_thread",
    "train",
    "trial",
]

LABELS = ("even", "odd", "both")
WORDS = range(4, 170)
SIZE = 200
SENTINELS = 20
HOW = How(epochs=3, rate=3e-3, batch=8, max_length=24, precision="fp32", device="cpu", patience=0, every=0.5)
"3 epochs of 8 or 9 steps, measured and saved twice an epoch"
_BERT = Arch("bert", SIZE, 32, 2, 4, 64, positions=32, initial_std=0.2)
_GPT = Arch(
    *("gpt2", SIZE, 32, 2, 4, 64, 32, "decoder"),
    norm_place="before",
    norm_eps=1e-5,
    final_norm=True,
    token_types=0,
    embedding_norm=False,
    activation="gelu_tanh",
    initial_std=0.1,
)
_T5 = replace(
    _GPT,
    family="t5",
    kind="encoder-decoder",
    decoder_layers=2,
    norm="rms",
    norm_eps=1e-6,
    position="relative",
    activation="relu",
    attention_bias=False,
    output_bias=False,
    feed_forward_bias=False,
)


@dataclass(frozen=True)
class Trial:
    """One training of this world: an objective, a tuning, and what differs from the usual settings of the loop."""

    name: str
    objective: Objective
    tuning: Tuning
    changes: Mapping[str, Any] = field(default_factory=dict)


TRIALS = (
    Trial("clm, adamw, fp32", Clm(), Scratch()),
    Trial("classify, full, bf16", Classify(), Full(layer_decay=0.8), {"precision": "bf16", "schedule": "cosine"}),
    Trial("mlm, adamw, fp32", Mlm(), Scratch(), {"accumulation": 2}),
    Trial("clm, muon, bf16", Clm(z_loss=1e-4), Scratch(), {"optimizer": "muon", "precision": "bf16"}),
    Trial("classify, lora, fp32", Classify(), Lora(rank=4, dropout=0.1)),
    Trial("clm, muon, fp32", Clm(), Scratch(), {"optimizer": "muon", "schedule": "wsd", "accumulation": 4}),
    Trial("mlm, adamw, bf16", Mlm(whole_words=True), Scratch(), {"precision": "bf16", "average": 0.0}),
    Trial("span, adamw, fp32", Span(), Scratch(), {"recompute": True}),
    Trial("classify, layers, bf16", Classify(), Layers(top=2, gradual=1.0), {"precision": "bf16"}),
    Trial("classify, head, fp32", Classify(), HeadTuning(), {"epochs": 12.0}),
    Trial("clm, adamw, bf16", Clm(), Scratch(), {"precision": "bf16", "schedule": "constant"}),
    Trial("classify, full in parts, fp32", Classify(), Full(), {"accumulation": 4}),
    Trial("classify, full with patience, fp32", Classify(), Full(), {"patience": 2}),
    Trial("classify, lora, bf16", Classify(), Lora(rank=4), {"precision": "bf16"}),
    Trial("mlm, muon, bf16", Mlm(), Scratch(), {"optimizer": "muon", "precision": "bf16", "recompute": True}),
    Trial("span, muon, bf16", Span(), Scratch(), {"optimizer": "muon", "precision": "bf16"}),
    Trial("classify, balanced, bf16", Classify(class_weights="balanced"), Full(), {"precision": "bf16"}),
)
"The first eight hold every objective, both optimisers and both precisions."


@dataclass(frozen=True)
class Numbers:
    """A tokenizer of which every token is a number: padding, first, last, mask, 166 words, and 20 sentinels."""

    pad_id: int = 0
    bos_id: int = 1
    eos_ids: frozenset[int] = frozenset({2})
    mask_id: int = 3
    around: tuple[tuple[int, ...], tuple[int, ...]] = ((1,), (2,))
    size: int = SIZE

    @property
    def control_ids(self) -> frozenset[int]:
        """Those that are no words."""
        return frozenset(range(self.size)) - frozenset(WORDS)

    def encode(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """A first token, the numbers, a last token."""
        return [[1, *[WORDS[int(word)] for word in text.split()][: max_length - 2], 2] for text in texts]

    def count(self, texts: Sequence[str]) -> list[int]:
        """How long each is."""
        return [len(text.split()) + 2 for text in texts]

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each token as it is written; every third word is the rest of one."""
        return [f"##{token}" if token in WORDS and token % 3 == 0 else str(token) for token in ids]

    def number(self, token: str) -> int | None:
        """The id of a sentinel: they count down from the last one."""
        names = [f"<extra_id_{number}>" for number in range(SENTINELS)]
        return self.size - 1 - names.index(token) if token in names else None


def trial(name: str) -> Trial:
    """The trial of that name."""
    return next(one for one in TRIALS if one.name == name)


def examples() -> list[Example]:
    """64 texts of numbers, of three labels."""
    found = []
    for row in range(64):
        text = " ".join(str((row * 7 + place * place) % 160) for place in range(row % 19 + 1))
        found.append(Example((Message("user", text),), (LABELS[row % 3],), meta={"id": f"row-{row}"}))
    return found


def corpus(seed: int = 0, documents: int = 46) -> Texts:
    """Two sources, of which one is read three times as often; a word mostly says what the next one is."""
    dice = np.random.default_rng(seed)

    def document(size: int) -> list[int]:
        words = [int(dice.integers(len(WORDS)))]
        while len(words) < size:
            follows = (words[-1] * 5 + 1) % len(WORDS)
            words.append(follows if dice.random() < 0.8 else int(dice.integers(len(WORDS))))
        return [WORDS[word] for word in words]

    def source(name: str, count: int) -> Documents:
        made = [document(int(dice.integers(3, 60))) for _ in range(count)]
        return Documents.of(name, made, [4 * len(ids) for ids in made])

    notes = documents // 3
    return Texts((source("letters", documents - notes), source("notes", notes)), (0.75, 0.25))


def fresh(one: Trial, seed: int = 0) -> Any:
    """The net of a trial before it learns, the same for the same seed."""
    if isinstance(one.objective, Classify):
        net = Classifier(fresh_encoder(_BERT, seed), Head(_BERT, len(LABELS)), LABELS)
        initialise(net.head, _BERT.initial_std, seed)
        return net
    return fresh_lm({"clm": _GPT, "mlm": _BERT, "span": _T5}[_kind(one)], seed)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """While the block runs torch computes with one thread: two share nothing of a net this small but their waiting."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def begun(one: Trial, seed: int = 0, changes: Mapping[str, Any] | None = None, data: Any = None) -> Training:
    """A trial before its first step; `changes` are settings of the loop, `data` are other data than its own."""
    return begin(fresh(one, seed), Numbers(), one.objective, one.tuning, data or _data(one), _how(one, seed, changes))


def train(
    one: Trial,
    folder: Path,
    seed: int = 0,
    changes: Mapping[str, Any] | None = None,
    said: Callable[[str], None] = lambda _: None,
    log: Callable[[Step], None] | None = None,
    net: Any = None,
) -> Outcome:
    """A whole session in a folder, begun or gone on with. `changes` are settings of the loop, `net` is one of `fresh`.

    Raises what `learn` raises.
    """
    how = _how(one, seed, changes)
    measure, watch = partial(_measured, one), Watch("accuracy")
    if not isinstance(one.objective, Classify):
        watch = Watch("nats", higher=False)
    net = fresh(one, seed) if net is None else net
    return learn(net, Numbers(), one.objective, one.tuning, _data(one), how, folder, measure, watch, said, log=log)


def bits(outcome: Outcome, folder: Path) -> dict[str, str]:
    """SHA-256 of everything a training leaves: equal only where every bit of it is.

    The best weights, those after the last step, the optimiser's state, the running average, the state of the random
    numbers, all losses and measurements, and the order of the examples.
    """
    best = hashlib.sha256()
    for name, weight in outcome.net.named_parameters():
        best.update(name.encode() + weight.detach().numpy().tobytes())
    last = durable.versions(folder, "step")[-1][1]
    names = ("weights", "optimizer", "average", "random")
    found = {name: durable.digest(last / f"{name}.safetensors") for name in names}
    told = json.dumps([outcome.history, outcome.losses, outcome.best_step, outcome.steps, outcome.skipped])
    return {"best": best.hexdigest(), **found, "losses": _hash(told), "order": outcome.chain}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _kind(one: Trial) -> str:
    return type(one.objective).__name__.lower()


def _data(one: Trial) -> Any:
    return examples() if isinstance(one.objective, Classify) else corpus()


def _how(one: Trial, seed: int, changes: Mapping[str, Any] | None) -> How:
    return replace(HOW, **{"seed": seed, **one.changes, **(changes or {})})


def _measured(one: Trial, net: Any) -> Mapping[str, float]:
    """Figures that depend on every bit of the net."""
    if not isinstance(one.objective, Classify):
        found = hold_out(net, one.objective, corpus(1, documents=5), Kit(HOW, Numbers()))
        return {"nats": found.loss}
    rows = examples()[:12]
    logits = [net(torch.tensor(Numbers().encode([row.text], 24)), None)[0] for row in rows]
    right = sum(net.labels[int(said.argmax())] == row.answers[0] for said, row in zip(logits, rows, strict=True))
    return {"accuracy": right / len(rows), "first": float(logits[0][0])}
