"""Every metric equals scikit-learn to 1e-12 on 1,000 random cases, empty classes and strange predictions included."""

import warnings
from collections.abc import Iterator

import numpy as np
import pytest

from dragoman.core.doors import Metric
from dragoman.core.types import Answer
from dragoman.metrics.accuracy import Accuracy
from dragoman.metrics.f1 import F1
from dragoman.metrics.log_loss import LogLoss
from dragoman.metrics.macro_f1 import MacroF1
from dragoman.metrics.mcc import Mcc
from dragoman.metrics.micro_f1 import MicroF1

sklearn = pytest.importorskip("sklearn.metrics")
CLOSE = 1e-12


def figure(metric: Metric, answers: list[Answer], references: list[tuple[str, ...]]) -> float:
    rows = [metric.measure(answer, true) for answer, true in zip(answers, references, strict=True)]
    return metric.combine(np.stack(rows))


def single_cases() -> Iterator[tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]]:
    """Labels, true and predicted places, probabilities; some labels never occur, some sets hold one label only."""
    random = np.random.default_rng(0)
    for _ in range(700):
        size, rows = int(random.integers(2, 9)), int(random.integers(1, 60))
        labels = tuple(f"label {number}" for number in range(size))
        occurring = random.permutation(size)[: int(random.integers(1, size + 1))]
        true = random.choice(occurring, rows)
        guess = np.where(random.random(rows) < random.random(), true, random.integers(0, size, rows))
        chances = random.dirichlet(np.full(size, random.choice([0.05, 1.0])), rows)
        yield labels, true, guess, chances


def test_one_label_a_row() -> None:
    for labels, true, guess, chances in single_cases():
        answers = [
            Answer(labels[place], (labels[place],), dict(zip(labels, map(float, row), strict=True)))
            for place, row in zip(guess, chances, strict=True)
        ]
        references = [(labels[place],) for place in true]
        places = range(len(labels))
        ours = {
            "accuracy": figure(Accuracy(labels), answers, references),
            "macro_f1": figure(MacroF1(labels), answers, references),
            "micro_f1": figure(MicroF1(labels), answers, references),
            "mcc": figure(Mcc(labels), answers, references),
            "log_loss": figure(LogLoss(labels), answers, references),
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn warns of single-label sets and rounded probabilities
            theirs = {
                "accuracy": sklearn.accuracy_score(true, guess),
                "macro_f1": sklearn.f1_score(true, guess, labels=places, average="macro", zero_division=0),
                "micro_f1": sklearn.f1_score(true, guess, labels=places, average="micro", zero_division=0),
                "mcc": sklearn.matthews_corrcoef(true, guess),
                "log_loss": sklearn.log_loss(true, chances, labels=places),
            }
            each = sklearn.f1_score(true, guess, labels=places, average=None, zero_division=0)
        for name, value in theirs.items():
            assert abs(ours[name] - value) <= CLOSE * max(1.0, abs(value)), name
        for label, value in zip(labels, each, strict=True):
            assert abs(figure(F1(labels, label), answers, references) - value) <= CLOSE


def test_several_labels_a_row() -> None:
    random = np.random.default_rng(1)
    for _ in range(300):
        size, rows = int(random.integers(2, 7)), int(random.integers(1, 40))
        labels = tuple(f"label {number}" for number in range(size))
        true = (random.random((rows, size)) < random.random()).astype(int)
        chances = np.where(random.random((rows, size)) < 0.7, (true + random.random((rows, size))) / 2, 0.3)
        guess = (chances >= 0.5).astype(int)
        references = [tuple(label for label, held in zip(labels, row, strict=True) if held) for row in true]
        answers = [
            Answer(
                "",
                tuple(label for label, held in zip(labels, row, strict=True) if held),
                dict(zip(labels, map(float, given), strict=True)),
            )
            for row, given in zip(guess, chances, strict=True)
        ]
        each = sklearn.f1_score(true, guess, average=None, zero_division=0)
        assert abs(figure(Accuracy(labels), answers, references) - sklearn.accuracy_score(true, guess)) <= CLOSE
        assert abs(figure(MacroF1(labels), answers, references) - each.mean()) <= CLOSE
        theirs = sklearn.f1_score(true, guess, average="micro", zero_division=0)
        assert abs(figure(MicroF1(labels), answers, references) - theirs) <= CLOSE
        for label, value in zip(labels, each, strict=True):
            assert abs(figure(F1(labels, label), answers, references) - value) <= CLOSE
        losses = [sklearn.log_loss(true[:, place], chances[:, place], labels=[0, 1]) for place in range(size)]
        assert abs(figure(LogLoss(labels, True), answers, references) - np.mean(losses)) <= CLOSE


def test_a_prediction_outside_the_labels_is_only_a_miss() -> None:
    labels = ("a", "b")
    true, guess = ["a", "a", "b", "b"], ["a", "nonsense", "b", "a"]
    answers = [Answer(text) for text in guess]
    references = [(text,) for text in true]
    for metric, average in ((MacroF1(labels), "macro"), (MicroF1(labels), "micro")):
        theirs = sklearn.f1_score(true, guess, labels=labels, average=average, zero_division=0)
        assert abs(figure(metric, answers, references) - theirs) <= CLOSE
    assert abs(figure(Mcc(labels), answers, references) - sklearn.matthews_corrcoef(true, guess)) <= CLOSE
    assert figure(Accuracy(labels), answers, references) == 0.5
