"""Entity F1 equals seqeval's default rules on 300 random sets of rows, broken ones included, and on real tags."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from dragoman.core.types import Answer
from dragoman.metrics._tags import entities
from dragoman.metrics.entity_f1 import EntityF1
from dragoman.metrics.token_accuracy import TokenAccuracy

TAGS = tuple(f"{letter}-{kind}" for letter in "BIES" for kind in ("PER", "LOC", "first-name")) + ("O",) * 4


def both(true: list[list[str]], given: list[list[str]]) -> None:
    """Hold both figures against seqeval's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval warns where nothing was found
        seqeval = pytest.importorskip("seqeval.metrics")
        wanted = (seqeval.f1_score(true, given), seqeval.accuracy_score(true, given))
    for metric, value in zip((EntityF1(), TokenAccuracy()), wanted, strict=True):
        rows = [metric.measure(Answer("", tuple(tags)), tuple(truth)) for tags, truth in zip(given, true, strict=True)]
        assert abs(metric.combine(np.stack(rows)) - value) <= 1e-12


def test_random_rows_of_tags() -> None:
    random = np.random.default_rng(0)
    for number in range(300):
        tags = TAGS if number % 2 else tuple(tag for tag in TAGS if tag[0] in "BIO")
        true = [[str(tag) for tag in random.choice(tags, size)] for size in random.integers(1, 12, 8)]
        kept = random.random() * 0.9
        given = [[tag if random.random() < kept else str(random.choice(tags)) for tag in row] for row in true]
        both(true, given)


def test_the_entities_themselves() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pytest.importorskip("seqeval.metrics.sequence_labeling").get_entities
    random = np.random.default_rng(1)
    for _ in range(300):
        row = [str(tag) for tag in random.choice((*TAGS, "B", "I"), int(random.integers(0, 10)))]
        assert entities(row) == set(theirs(row))


def test_real_tags(shared_data: Path) -> None:
    text = (shared_data / "token_classification" / "wnut17_dev.conll").read_text()
    true = [[line.split("\t")[-1] for line in block.split("\n")] for block in text.strip().split("\n\n")]
    random = np.random.default_rng(2)
    known = sorted({tag for row in true for tag in row})
    given = [[tag if random.random() < 0.9 else str(random.choice(known)) for tag in row] for row in true]
    both(true, given)
