"""A merged adapter is the sum it stands for, and one that does not fit is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.nn.adapter import merge_adapter, modules_under, published_modules
from dragoman.nn.store import load_classifier
from tests.nn.tiny import classifier, encoder_folder
from tests.nn.tiny_lm import writer

QUERY = "base_model.model.bert.encoder.layer.0.attention.self.query"
SETTINGS = {"peft_type": "LORA", "r": 2, "lora_alpha": 6}


def adapter(folder: Path, changes: dict[str, Any] | None = None, tensors: dict[str, Tensor] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    halves = {f"{QUERY}.lora_A.weight": torch.randn(2, 64), f"{QUERY}.lora_B.weight": torch.randn(64, 2)}
    save_file(tensors if tensors is not None else halves, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({**SETTINGS, **(changes or {})}))
    return folder


@pytest.mark.parametrize(
    ("changes", "scale"),
    [
        ({}, 3.0),
        ({"use_rslora": True}, 6 / 2**0.5),
        ({"alpha_pattern": {"self.query": 4}}, 2.0),
        ({"alpha_pattern": {"ery": 4}}, 3.0),
    ],
)
def test_the_update_is_added_at_its_scale(changes: dict[str, Any], scale: float, tmp_path: Path) -> None:
    net, before = classifier("bert"), classifier("bert")
    merge_adapter(net, adapter(tmp_path, changes))
    torch.manual_seed(0)
    down, up = torch.randn(2, 64), torch.randn(64, 2)
    moved = net.encoder.blocks[0].attention.query.weight - before.encoder.blocks[0].attention.query.weight
    assert (moved - scale * up @ down).abs().max() < 1e-4
    assert torch.equal(net.head.out.weight, before.head.out.weight)


def test_a_head_trained_whole_takes_the_place_of_a_fresh_one(tmp_path: Path) -> None:
    folder = encoder_folder("bert", tmp_path / "model")
    head = {
        "base_model.model.classifier.weight": torch.ones(2, 64),
        "base_model.model.classifier.bias": torch.ones(2),
    }
    net = load_classifier(folder, ("yes", "no"))
    with pytest.raises(UserError, match=r"neither .* head\.dense"):
        merge_adapter(net, adapter(tmp_path / "adapter", tensors=head))
    head |= {
        "base_model.model.bert.pooler.dense.weight": torch.ones(64, 64),
        "base_model.model.bert.pooler.dense.bias": torch.ones(64),
    }
    merge_adapter(net, adapter(tmp_path / "adapter", tensors=head))
    assert net.fresh == ()
    assert bool((net.head.out.weight == 1).all())


@pytest.mark.parametrize(
    ("changes", "tensors", "said"),
    [
        ({"peft_type": "VERA"}, None, "is VERA"),
        ({"peft_type": None}, None, "not in PEFT form"),
        ({"peft_type": "IA3"}, None, "lora_A.weight, which this model does not have"),
        ({"use_dora": True}, None, "lengths"),
        ({"use_something_new": True}, None, "use_something_new"),
        ({"kasa_config": {"a": 1}}, None, "kasa_config"),
        ({"init_lora_weights": "olora"}, None, "began as olora"),
        ({"rank_pattern": {".*query": 1}}, None, "no module's name"),
        ({"r": 0}, None, "r in"),
        ({"lora_alpha": "many"}, None, "lora_alpha in"),
        ({}, {f"{QUERY}.lora_A.weight": torch.ones(2, 64)}, "half an update"),
        ({}, {f"{QUERY}s.lora_A.weight": torch.ones(2, 64)}, "does not have"),
        (
            {},
            {f"{QUERY}.lora_A.weight": torch.ones(2, 32), f"{QUERY}.lora_B.weight": torch.ones(32, 2)},
            "does not fit",
        ),
        ({}, {"base_model.model.classifier.weight": torch.ones(5, 64)}, "another shape"),
    ],
)
def test_what_does_not_fit_is_refused(
    changes: dict[str, Any], tensors: dict[str, Tensor] | None, said: str, tmp_path: Path
) -> None:
    net = classifier("bert")
    with pytest.raises(UserError, match=said):
        merge_adapter(net, adapter(tmp_path, changes, tensors))
    assert all(torch.equal(*both) for both in zip(net.parameters(), classifier("bert").parameters(), strict=True))


def test_gains_of_what_goes_out_move_the_bias_too_and_those_of_what_comes_in_do_not(tmp_path: Path) -> None:
    torch.manual_seed(0)
    out, into = torch.rand(64, 1), torch.rand(1, 96)
    down = "base_model.model.bert.encoder.layer.1.output.dense"
    net, before = classifier("bert"), classifier("bert")
    merge_adapter(net, adapter(tmp_path, {"peft_type": "IA3"}, {f"{QUERY}.ia3_l": out, f"{down}.ia3_l": into}))
    query, old = net.encoder.blocks[0].attention.query, before.encoder.blocks[0].attention.query
    assert torch.allclose(query.weight, old.weight * out)
    assert torch.allclose(query.bias, old.bias * out[:, 0])
    feed, held = net.encoder.blocks[1].feed_forward.down, before.encoder.blocks[1].feed_forward.down
    assert torch.allclose(feed.weight, held.weight * into)
    assert torch.equal(feed.bias, held.bias)


def test_our_names_and_the_published_ones() -> None:
    names = published_modules(writer("gpt2"))
    joint = ("blocks.1.attention.query", "blocks.1.attention.key", "blocks.1.attention.value")
    assert modules_under(names)["transformer.h.1.attn.c_attn"] == joint
    assert published_modules(classifier("roberta"))["head.out"] == "classifier.out_proj"
    assert published_modules(writer("t5"))["decoder.blocks.0.cross.key"] == "decoder.block.0.layer.1.EncDecAttention.k"


def test_a_table_that_was_trained_whole_takes_the_place_of_a_language_model_s(tmp_path: Path) -> None:
    net = writer("gpt2")
    words = torch.full((290, 32), 0.5)
    turned = torch.randn(32, 128)
    whole = {
        "base_model.model.transformer.wte.weight": words,
        "base_model.model.transformer.h.0.mlp.c_fc.weight": turned,
    }
    merge_adapter(net, adapter(tmp_path, tensors=whole))
    assert torch.equal(net.get_parameter("embeddings.words.weight"), words)
    assert torch.equal(net.get_parameter("blocks.0.feed_forward.up.weight"), turned.t())
    with pytest.raises(UserError, match="which this model does not have"):
        merge_adapter(net, adapter(tmp_path, tensors={"base_model.model.score.weight": torch.ones(2, 2)}))


def test_a_pickled_adapter_is_refused(tmp_path: Path) -> None:
    adapter(tmp_path)
    (tmp_path / "adapter_model.safetensors").unlink()
    torch.save({}, tmp_path / "adapter_model.bin")
    with pytest.raises(UserError, match="pickled"):
        merge_adapter(classifier("bert"), tmp_path)
