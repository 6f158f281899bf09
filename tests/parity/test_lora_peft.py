"""LoRA adapters against peft: ours over its model, its over ours, the same answers."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dragoman.nn.heads import Classifier
from dragoman.nn.store import load_classifier
from dragoman.train.adapter import read_adapter, write_adapter
from dragoman.train.low_rank import low_rank_modules
from dragoman.train.tuning.lora import Lora
from tests.nn.tiny import FAMILIES, classifier_folder

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore")

LORAS = [Lora(rank=3), Lora(rank=4, alpha=6.0, stabilised=True, where=("query", "down"))]
IDS = torch.tensor([[2, 5, 9, 30, 3], [2, 60, 61, 7, 3]])
TARGETS = {
    "bert": ["query", "value", "intermediate.dense"],
    "distilbert": ["q_lin", "v_lin", "lin1"],
    "roberta": ["query", "value", "intermediate.dense"],
}


def theirs(folder: Path, adapter: Path) -> torch.Tensor:
    """The answers of the base model in transformers with the adapter that peft puts over it."""
    base = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    model = peft.PeftModel.from_pretrained(base, adapter).eval()
    with torch.no_grad():
        return model(input_ids=IDS).logits  # type: ignore[no-any-return]


def ours(net: Classifier) -> torch.Tensor:
    """Our answers."""
    with torch.no_grad():
        return net.eval()(IDS, None)  # type: ignore[no-any-return]


def stirred(net: Any, seed: int) -> None:
    """Adapters and head far from where they began."""
    dice = torch.Generator().manual_seed(seed)
    for weight in net.parameters():
        if weight.requires_grad:
            weight.data.normal_(0, 0.1, generator=dice)


@pytest.mark.parametrize("lora", LORAS, ids=["plain", "stabilised"])
@pytest.mark.parametrize("family", FAMILIES)
def test_peft_answers_as_we_do(tmp_path: Path, family: str, lora: Lora) -> None:
    folder = classifier_folder(family, tmp_path / "base")
    net = lora.apply(load_classifier(folder), 0)
    stirred(net, 1)
    write_adapter(net, lora, tmp_path / "adapter", str(folder))
    said = ours(net)
    base = ours(load_classifier(folder))
    assert float((said - base).abs().max()) > 0.1
    assert torch.allclose(theirs(folder, tmp_path / "adapter"), said, atol=1e-5)
    assert torch.allclose(ours(lora.merge(net)), said, atol=1e-5)


@pytest.mark.parametrize("stabilised", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_we_answer_as_peft_does(tmp_path: Path, family: str, stabilised: bool) -> None:
    folder = classifier_folder(family, tmp_path / "base")
    base = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    heads = ["classifier", *{"bert": ["pooler"], "distilbert": ["pre_classifier"], "roberta": []}[family]]
    config = peft.LoraConfig(
        task_type="SEQ_CLS",
        r=4,
        lora_alpha=12,
        use_rslora=stabilised,
        target_modules=TARGETS[family],
        modules_to_save=heads,
    )
    model = peft.get_peft_model(base, config)
    stirred(model, 2)
    model.save_pretrained(tmp_path / "adapter")
    net = load_classifier(folder)
    lora = read_adapter(net, tmp_path / "adapter")
    assert (lora.rank, lora.alpha, lora.stabilised, lora.where) == (4, 12.0, stabilised, ("query", "up", "value"))
    assert len(low_rank_modules(net)) == 3 * net.arch.layers
    assert torch.allclose(ours(net), theirs(folder, tmp_path / "adapter"), atol=1e-5)
    write_adapter(net, lora, tmp_path / "again", str(folder))
    assert torch.equal(theirs(folder, tmp_path / "again"), theirs(folder, tmp_path / "adapter"))


def test_the_number_of_weights_is_peft_s(tmp_path: Path) -> None:
    folder = classifier_folder("bert", tmp_path / "base")
    base = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    config = peft.LoraConfig(r=5, target_modules=["query", "value"], modules_to_save=["pooler", "classifier"])
    model = peft.get_peft_model(base, config)
    net = Lora(rank=5, where=("query", "value")).apply(load_classifier(folder), 0)
    counts = [sum(w.numel() for w in one.parameters() if w.requires_grad) for one in (model, net)]
    assert counts[0] == counts[1]


def test_an_adapter_without_its_head_is_refused(tmp_path: Path) -> None:
    """peft drops a head that is not named in modules_to_save, and says nothing."""
    folder = classifier_folder("bert", tmp_path / "base")
    base = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    config = peft.LoraConfig(r=4, target_modules=["query"])
    peft.get_peft_model(base, config).save_pretrained(tmp_path / "adapter")
    assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["modules_to_save"] is None
    with pytest.raises(Exception, match=r"head\.dense\.bias is not the same"):
        read_adapter(load_classifier(folder), tmp_path / "adapter")
