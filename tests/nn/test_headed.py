"""Taggers and extractors go into folders and come back; what does not fit is refused or drawn anew, and told."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.nn.folder import encoder_family_of, head_names, modules_by_published_name
from dragoman.nn.headed import load_extractor, load_tagger, save_extractor, save_tagger
from dragoman.nn.store import load_classifier, load_encoder
from tests.nn.tiny import FAMILIES, classifier, classifier_folder, encoder_folder, extractor, tagger, tokenizer

TAGS = ("O", "B-animal", "I-animal")
FRESH = ("head.out.bias", "head.out.weight")


def saved(family: str, folder: Path, kind: str = "tagger") -> Path:
    tokens = tokenizer(family, folder / "tokens")
    if kind == "tagger":
        save_tagger(tagger(family), tokens, folder / "model")
    else:
        save_extractor(extractor(family), tokens, folder / "model")
    return folder / "model"


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(one.state_dict()[name], tensor) for name, tensor in other.state_dict().items())


@pytest.mark.parametrize("family", FAMILIES)
def test_both_come_back_bit_for_bit(family: str, tmp_path: Path) -> None:
    words = load_tagger(saved(family, tmp_path / "one"))
    assert same(tagger(family), words)
    assert (words.labels, words.fresh, words.unused, words.training) == (TAGS, (), (), False)
    answers = load_extractor(saved(family, tmp_path / "two", "extractor"))
    assert same(extractor(family), answers)
    assert (answers.fresh, answers.unused, answers.training) == ((), (), False)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_takes_a_new_head(family: str, tmp_path: Path) -> None:
    folder = encoder_folder(family, tmp_path / "model")
    words, answers = load_tagger(folder, TAGS, seed=3), load_extractor(folder, seed=3)
    assert words.fresh == answers.fresh == FRESH
    assert torch.equal(words.head.out.weight, load_tagger(folder, TAGS, seed=3).head.out.weight)
    assert not torch.equal(words.head.out.weight, load_tagger(folder, TAGS, seed=4).head.out.weight)
    assert same(load_encoder(folder), words.encoder)
    with pytest.raises(UserError, match="holds no model that tags words"):
        load_tagger(folder)


def test_a_classifiers_head_is_not_a_taggers(tmp_path: Path) -> None:
    folder = classifier_folder("bert", tmp_path / "model")
    net = load_tagger(folder, ("red", "green", "blue"))
    assert net.fresh == FRESH
    assert "classifier.weight" in net.unused
    assert load_extractor(folder).fresh == FRESH
    with pytest.raises(UserError, match="without a classifier"):
        load_classifier(saved("bert", tmp_path / "other"))


def test_tags_in_another_order_keep_their_weights(tmp_path: Path) -> None:
    folder = saved("bert", tmp_path)
    net, turned = load_tagger(folder), load_tagger(folder, ("I-animal", "O", "B-animal"))
    ids = torch.tensor([[2, 7, 8, 3]])
    with torch.no_grad():
        assert (turned(ids) - net(ids)[:, :, [2, 0, 1]]).abs().max() < 1e-5
    assert turned.fresh == ()
    assert load_tagger(folder, ("O", "B-place")).fresh == FRESH
    with pytest.raises(UserError, match="a tag is given twice"):
        load_tagger(folder, ("O", "O"))


def test_what_config_json_says(tmp_path: Path) -> None:
    config: dict[str, Any] = json.loads((saved("roberta", tmp_path / "one") / "config.json").read_text())
    assert config["architectures"] == ["RobertaForTokenClassification"]
    assert config["id2label"] == {"0": "O", "1": "B-animal", "2": "I-animal"}
    assert config["label2id"] == {"O": 0, "B-animal": 1, "I-animal": 2}
    for family, names in (("bert", ["input_ids", "token_type_ids", "attention_mask"]), ("roberta", None)):
        folder = saved(family, tmp_path / family, "extractor")
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        assert settings["model_input_names"] == (names or ["input_ids", "attention_mask"])
        assert json.loads((folder / "config.json").read_text())["architectures"][0].endswith("ForQuestionAnswering")


def test_each_head_has_its_published_name() -> None:
    family = encoder_family_of("distilbert")
    for net, name in ((tagger("distilbert"), "classifier"), (extractor("distilbert"), "qa_outputs")):
        names = modules_by_published_name(family, net.arch, head_names(net, family))
        assert names[name] == "head.out"
    assert head_names(classifier("distilbert"), family) == family.head
    assert "pre_classifier" in modules_by_published_name(family, classifier("distilbert").arch)
