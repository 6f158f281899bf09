"""A classifier behind the LM door gives probabilities, whatever else is in the batch."""

from pathlib import Path

import numpy as np
import pytest

from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.types import Message
from dragoman.models.classifier import LocalClassifier, text_of
from tests.nn.tiny import FAMILIES, TEXTS, classifier, tokenizer

LABELS = ("red", "green", "blue")
PROMPTS = [[Message("user", text)] for text in TEXTS]


def local(family: str, folder: Path, multi_label: bool = False) -> LocalClassifier:
    return LocalClassifier(classifier(family, multi_label=multi_label), tokenizer(family, folder))


@pytest.mark.parametrize("family", FAMILIES)
def test_batch_is_one_by_one(family: str, tmp_path: Path) -> None:
    net = local(family, tmp_path)
    together = net.score(PROMPTS, LABELS)
    assert together.shape == (len(PROMPTS), 3)
    assert np.abs(np.exp(together).sum(1) - 1).max() < 1e-12
    alone = np.concatenate([net.score([prompt], LABELS) for prompt in PROMPTS])
    assert np.abs(together - alone).max() < 1e-5


def test_options_may_be_some_of_the_labels_in_any_order(tmp_path: Path) -> None:
    net = local("bert", tmp_path)
    whole = net.score(PROMPTS, LABELS)
    assert np.array_equal(net.score(PROMPTS, ["blue", "red"]), whole[:, [2, 0]])
    assert net.score([], LABELS).shape == (0, 3)
    with pytest.raises(UserError, match="no label 'gren'") as caught:
        net.score(PROMPTS, ["gren"])
    assert "green" in caught.value.hint


def test_multi_label_probabilities_stand_alone(tmp_path: Path) -> None:
    chances = np.exp(local("bert", tmp_path, multi_label=True).score(PROMPTS, LABELS))
    assert ((chances > 0) & (chances < 1)).all()
    assert np.abs(chances.sum(1) - 1).max() > 0.01


def test_it_writes_the_best_label(tmp_path: Path) -> None:
    net = local("bert", tmp_path)
    best = [LABELS[index] for index in net.score(PROMPTS, LABELS).argmax(1)]
    assert net.generate(PROMPTS, Sampling()) == [Completion(label, tokens=1) for label in best]
    assert list(net.stream(PROMPTS[0], Sampling())) == best[:1]
    assert isinstance(net, LM)
    assert (net.labels, net.multi_label) == (LABELS, False)


def test_it_reads_what_the_user_says() -> None:
    prompt = [Message("system", "be brief"), Message("user", "one"), Message("user", "two")]
    assert text_of(prompt) == "one\ntwo"


def test_long_prompts_are_cut_and_counted(tmp_path: Path) -> None:
    net = LocalClassifier(classifier("bert"), tokenizer("bert", tmp_path), max_length=5)
    assert net.cut(PROMPTS) == sum(len(net._tokenizer.encode([text], 99)[0]) > 5 for text in TEXTS)
    with pytest.raises(UserError, match="positions"):
        LocalClassifier(classifier("bert"), tokenizer("bert", tmp_path), max_length=99)


def test_bf16_is_near(tmp_path: Path) -> None:
    half = LocalClassifier(classifier("bert"), tokenizer("bert", tmp_path), half=True)
    exact = local("bert", tmp_path)
    assert np.abs(np.exp(half.score(PROMPTS, LABELS)) - np.exp(exact.score(PROMPTS, LABELS))).max() < 0.1
