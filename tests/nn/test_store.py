"""Folders that fit load, and folders that do not are refused with the name of what is wrong."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dragoman.core.errors import UserError
from dragoman.nn.store import (
    family_of,
    load_classifier,
    load_encoder,
    published_names,
    read_arch,
    read_labels,
    save_classifier,
    save_encoder,
)
from tests.nn.tiny import ARCHES, FAMILIES, classifier, classifier_folder, encoder_folder, tokenizer

LABELS = ("red", "green", "blue")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return classifier_folder("bert", tmp_path / "model")


def change_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def change_weights(folder: Path, changes: dict[str, Tensor], without: tuple[str, ...] = ()) -> None:
    tensors = load_file(folder / "model.safetensors") | changes
    save_file({name: tensor for name, tensor in tensors.items() if name not in without}, folder / "model.safetensors")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_classifier_comes_back_bit_for_bit(family: str, tmp_path: Path) -> None:
    net = classifier(family)
    back = load_classifier(classifier_folder(family, tmp_path / "model"))
    assert all(torch.equal(net.state_dict()[name], tensor) for name, tensor in back.state_dict().items())
    assert (back.labels, back.multi_label, back.arch, back.fresh, back.unused) == (LABELS, False, net.arch, (), ())
    assert not back.training
    assert all(parameter.requires_grad for parameter in back.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_encoder_comes_back_and_takes_a_new_head(family: str, tmp_path: Path) -> None:
    folder = encoder_folder(family, tmp_path / "model")
    assert read_arch(folder) == ARCHES[family]
    assert load_encoder(folder).unused == ()
    net = load_classifier(folder, ("yes", "no"), seed=3)
    assert net.fresh == ("head.dense.bias", "head.dense.weight", "head.out.bias", "head.out.weight")
    same, other = load_classifier(folder, ("yes", "no"), seed=3), load_classifier(folder, ("yes", "no"), seed=4)
    assert torch.equal(net.head.dense.weight, same.head.dense.weight)
    assert not torch.equal(net.head.dense.weight, other.head.dense.weight)


def test_the_encoder_of_a_classifier_leaves_the_head_by_name(folder: Path) -> None:
    assert load_encoder(folder).unused == (
        "bert.pooler.dense.bias",
        "bert.pooler.dense.weight",
        "classifier.bias",
        "classifier.weight",
    )


def test_files_can_be_read_by_all(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "config.json",
        "model.safetensors",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def test_a_multi_label_classifier_stays_one(tmp_path: Path) -> None:
    folder = classifier_folder("bert", tmp_path / "model", multi_label=True)
    assert load_classifier(folder).multi_label
    assert json.loads((folder / "config.json").read_text())["problem_type"] == "multi_label_classification"


def test_the_same_labels_in_another_order_keep_their_weights(folder: Path) -> None:
    net, turned = load_classifier(folder), load_classifier(folder, ("blue", "red", "green"))
    assert turned.fresh == ()
    ids = torch.tensor([[2, 7, 8, 3]])
    with torch.no_grad():
        assert (turned(ids) - net(ids)[:, [2, 0, 1]]).abs().max() < 1e-5


def test_other_labels_replace_the_last_layer_alone(folder: Path) -> None:
    net = load_classifier(folder, ("up", "down"))
    assert net.fresh == ("head.out.bias", "head.out.weight")
    assert net.unused == ("classifier.bias", "classifier.weight")
    assert torch.equal(net.head.dense.weight, load_classifier(folder).head.dense.weight)


def test_old_names_of_layer_norm_are_understood(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in tensors.items()
    }
    save_file(old, folder / "model.safetensors")
    assert load_classifier(folder).fresh == ()


def test_known_extras_are_left_out_by_name(folder: Path) -> None:
    extras = {"bert.embeddings.position_ids": torch.arange(40)[None], "cls.predictions.bias": torch.zeros(90)}
    change_weights(folder, extras)
    assert load_classifier(folder).unused == tuple(sorted(extras))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_missing_tensor_is_named(family: str, tmp_path: Path) -> None:
    folder = classifier_folder(family, tmp_path / "model")
    gone = next(name for name in load_file(folder / "model.safetensors") if "layer.1" in name)
    change_weights(folder, {}, without=(gone,))
    with pytest.raises(UserError, match=f"lack {re.escape(gone)}$"):
        load_classifier(folder)


def test_an_unexpected_tensor_is_named(folder: Path) -> None:
    change_weights(folder, {"bert.encoder.layer.0.adapter.weight": torch.ones(2)})
    with pytest.raises(UserError, match=r"unexpected tensor bert\.encoder\.layer\.0\.adapter"):
        load_classifier(folder)


def test_a_head_that_config_promises_must_be_there(folder: Path) -> None:
    change_weights(folder, {}, without=("bert.pooler.dense.weight", "bert.pooler.dense.bias"))
    with pytest.raises(UserError, match=r"lack bert\.pooler\.dense"):
        load_classifier(folder)


def test_a_tensor_given_twice_is_refused(folder: Path) -> None:
    change_weights(folder, {"embeddings.LayerNorm.bias": torch.zeros(64)})
    with pytest.raises(UserError, match="twice"):
        load_classifier(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vocab_size": 91}, "gives bert.embeddings.word_embeddings.weight the shape"),
        ({"hidden_size": 32}, "the shape"),
        ({"num_hidden_layers": 4}, "lack bert.encoder.layer.3"),
        ({"num_hidden_layers": 2}, "unexpected tensor"),
        ({"vocab_size": 10**30}, "cannot be built"),
        ({"hidden_size": float("nan")}, "hidden_size"),
        ({"num_hidden_layers": 10**6}, "says 1000000 layers"),
        ({"num_hidden_layers": 10**8}, "100000000 layers cannot be built"),
        ({"num_attention_heads": 7}, "7 attention heads"),
        ({"type_vocab_size": 0}, "unexpected tensor"),
        ({"model_type": "bertt"}, "no family named 'bertt'"),
        ({"model_type": None}, "model_type"),
        ({"hidden_act": "mish"}, "hidden_act"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"problem_type": "regression"}, "a number, not a label"),
        ({"id2label": {"0": "a", "2": "b"}}, "id2label"),
        ({"id2label": {"0": "a", "1": "a"}}, "id2label"),
        ({"id2label": ["a", "b"]}, "id2label"),
        ({"id2label": {"0": "a", "1": "b"}}, "classifier"),
    ],
)
def test_config_and_weights_that_disagree(changes: dict[str, Any], said: str, folder: Path) -> None:
    change_config(folder, **changes)
    with pytest.raises(UserError, match=said) as caught:
        load_classifier(folder)
    assert caught.value.hint


def test_default_label_names_are_filled_in(folder: Path) -> None:
    change_config(folder, id2label=None, num_labels=3)
    assert read_labels(folder) == ("LABEL_0", "LABEL_1", "LABEL_2")


def test_an_encoder_is_no_classifier(tmp_path: Path) -> None:
    folder = encoder_folder("bert", tmp_path / "model")
    assert read_labels(folder) == ()
    with pytest.raises(UserError, match="without a classifier"):
        load_classifier(folder)
    with pytest.raises(UserError, match="twice"):
        load_classifier(folder, ("a", "a"))


def test_the_head_of_another_task_is_not_taken_for_ours(folder: Path) -> None:
    change_config(folder, architectures=["BertForTokenClassification"])
    net = load_classifier(folder, LABELS)
    assert net.fresh == ("head.out.bias", "head.out.weight")


def test_a_wrapped_module_is_not_saved_by_halves(tmp_path: Path) -> None:
    net = classifier("bert")
    net.head.dense = nn.Sequential(net.head.dense)  # type: ignore[assignment]
    with pytest.raises(ValueError, match="merge"):
        published_names(net, net.arch, family_of("bert"))
    with pytest.raises(ValueError, match="merge"):
        save_classifier(net, tokenizer("bert", tmp_path / "tokens"), tmp_path / "model")


def test_bf16_weights_are_saved_as_they_are(tmp_path: Path) -> None:
    net = classifier("bert").to(torch.bfloat16)
    save_encoder(net.encoder, tokenizer("bert", tmp_path / "tokens"), tmp_path / "model")
    assert json.loads((tmp_path / "model" / "config.json").read_text())["dtype"] == "bfloat16"
    assert load_encoder(tmp_path / "model").embeddings.words.weight.dtype == torch.float32


@pytest.mark.parametrize("given", [5, [1], {"a": 1}, None])
def test_architectures_that_are_no_names(given: object, folder: Path) -> None:
    change_config(folder, architectures=given)
    assert read_labels(folder) == ()
