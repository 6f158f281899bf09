"""The Reward door: what says how good an answer is, from the name that a person gives it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dragoman.core.doors import Prompt, Reward
from dragoman.core.errors import UserError
from dragoman.core.runs import find
from dragoman.core.types import Message
from dragoman.models.classifier import LocalClassifier, text_of
from dragoman.models.device import Precision, choose_device
from dragoman.models.encoder import plan
from dragoman.models.rules import RULES, open_rule
from dragoman.models.source import resolve
from dragoman.nn.padding import pad
from dragoman.nn.replies import Replies
from dragoman.nn.scorer import Scorer, load_scorer
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["LabelReward", "LocalScorer", "Named", "open_reward", "open_scorer"]

LABELLED = ("label", "label+prompt")
LONGEST = 512  # tokens where neither the folder nor the positions say
TRAIN = "train one with: dragoman train objective=reward"


class LocalScorer:
    """A scorer of `nn` behind the Reward door. Its prompt may lose its beginning; an answer is always read whole.

    A prompt is cut as in training, to `max_length` tokens with its answer; an answer that is itself longer is read as
    far as the model has positions.
    """

    def __init__(
        self,
        net: Scorer,
        tokenizer: Tokenizer,
        *,
        device: torch.device | None = None,
        half: bool = False,
        max_length: int = 0,
    ) -> None:
        """Take over `net` (it is moved and, with `half`, cast to bf16).

        Raises UserError where max_length exceeds the model's positions, or the tokenizer does not go with answers.
        """
        if max_length:
            net.arch.require(max_length)
        self.device = device or torch.device("cpu")
        self.max_length = max_length or min(tokenizer.max_length or LONGEST, net.arch.longest)
        self._longest = net.arch.longest
        self._replies = Replies(tokenizer, net.arch)
        self._fill = tokenizer.pad_id
        self._net = net.to(self.device, torch.bfloat16 if half else torch.float32).eval()

    def rate(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> NDArray[np.float64]:
        """The score of each answer, of shape [n]. Raises UserError where an answer has more tokens than positions."""
        rows: list[Sequence[int]] = []
        for place, (reply, least) in enumerate(self._replies.read(prompts, answers, self.max_length)):
            if reply is None and least <= self._longest:
                [(reply, least)] = self._replies.read(
                    [prompts[place]], [answers[place]], min(self._longest, least + self.max_length)
                )
            if reply is None:
                raise UserError(
                    f"an answer of {least:,} tokens does not fit into the {self._longest:,} that this model reads",
                    "let answers be shorter, or train another one: dragoman train objective=reward",
                )
            rows.append(reply.ids)
        return self.score(rows)

    def score(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """The score of each row of tokens, of shape [n]."""
        scores = np.empty(len(rows), dtype=np.float64)
        for batch in plan([len(row) for row in rows], self.device):
            scores[batch] = self._scores([rows[index] for index in batch])
        return scores

    @torch.inference_mode()
    def _scores(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        ids, mask = pad(rows, self._fill)  # [b, s] each
        types = self._replies.types(ids)  # [b, s]
        there = [None if one is None else one.to(self.device) for one in (mask, types)]
        found: NDArray[np.float64] = self._net(ids.to(self.device), *there).double().cpu().numpy()  # [b]
        return found


@dataclass(frozen=True)
class Named:
    """A reward as a person names it, in its parts."""

    kind: str
    "label, label+prompt or a rule's; empty is a model that scores"
    where: str
    "a folder, a run or a file, or what a rule says"
    label: str = ""

    @classmethod
    def of(cls, spec: str) -> "Named":
        """The parts of a spec. Raises UserError where a classifier is named without a label."""
        kind, _, rest = spec.partition(":")
        if kind in RULES:
            return cls(kind, rest)
        if kind not in LABELLED:
            return cls("", spec)
        where, mark, label = rest.rpartition("#")
        if not (mark and where and label):
            raise UserError(f"'{spec}' does not name a classifier and a label", "say it as label:FOLDER#LABEL")
        return cls(kind, where, label)

    def __str__(self) -> str:
        return (self.kind and f"{self.kind}:") + self.where + (self.label and f"#{self.label}")

    def folder(self, runs: Path | None) -> str:
        """Where its model lies, a run's or another's; a name of no folder as it is."""
        path = Path(self.where)
        if runs is not None and not path.exists() and not self.where.startswith(("builtin:", "hf:")):
            path = find(runs, self.where).folder
        inside = path / "model"
        return str(inside if (inside / "config.json").is_file() else path if path.exists() else self.where)


class LabelReward:
    """How sure a classifier is of one label: its log-odds, which go on growing where its probability is near 1.

    It reads the answer alone, or, `with_prompt`, what the user said and the answer behind it.
    """

    def __init__(self, classifier: LocalClassifier, label: str, with_prompt: bool = False) -> None:
        """Raises UserError where it does not know the label, or knows no other."""
        if label not in classifier.labels:
            classifier.score([], [label])  # says which labels there are
        if len(classifier.labels) < 2 and not classifier.multi_label:
            raise UserError(f"this classifier knows no label but '{label}', so it is always sure", TRAIN)
        self._classifier = classifier
        self._label = label
        self._with_prompt = with_prompt

    def rate(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> NDArray[np.float64]:
        """log p - log(1 - p) of the label for each answer, of shape [n], in nats."""
        texts = list(answers)
        if self._with_prompt:
            texts = [f"{text_of(prompt)}\n{answer}" for prompt, answer in zip(prompts, answers, strict=True)]
        labels = self._classifier.labels
        logs = self._classifier.score([[Message("user", text)] for text in texts], labels)  # [n, labels]
        column = labels.index(self._label)
        if self._classifier.multi_label:
            rest = np.log(-np.expm1(np.minimum(logs[:, column], -1e-15)))
        else:
            rest = np.logaddexp.reduce(np.delete(logs, column, axis=1), axis=1)
        odds: NDArray[np.float64] = logs[:, column] - rest
        return odds


def open_scorer(spec: str | Path, device: str = "auto", precision: Precision = "auto") -> LocalScorer:
    """The scorer in a folder or behind a name. `auto` is fp32: a policy is drawn to the third digit of a score too.

    Raises UserError as `resolve` and `nn.scorer.load_scorer`, and where the folder holds no scorer.
    """
    folder = resolve(spec)
    net, tokenizer = load_scorer(folder), Tokenizer(folder)
    if net.fresh:
        raise UserError(f"{folder} holds no model that scores answers", TRAIN)
    tokenizer.fit(net.arch)
    return LocalScorer(net, tokenizer, device=choose_device(device), half=precision == "bf16")


def open_reward(spec: str, device: str = "auto", precision: Precision = "auto", runs: Path | None = None) -> Reward:
    """The reward of that name: a run or a folder with a model that scores, a label of a classifier, or a rule.

    A run is found by its folder or, where `runs` is given, by its name. `label:FOLDER#LABEL` is a classifier's log-odds
    of the label for the answer, `label+prompt:` for prompt and answer; `regex:`, `python:`, `count:` and `length:` are
    rules (models.rules). Raises UserError where there is none.
    """
    named = Named.of(spec)
    if named.kind in RULES:
        return open_rule(spec)
    if named.kind:
        from dragoman.models.open import open_classifier

        classifier = open_classifier(named.folder(runs), device, precision)
        return LabelReward(classifier, named.label, named.kind != "label")
    scorer: Reward = open_scorer(named.folder(runs), device, precision)
    return scorer
