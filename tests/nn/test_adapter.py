"""A merged adapter is the sum it stands for, and one that does not fit is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.nn.adapter import merge_adapter
from dragoman.nn.store import load_classifier
from tests.nn.tiny import classifier, encoder_folder

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
        ({"peft_type": "IA3"}, None, "is IA3"),
        ({"use_dora": True}, None, "use_dora"),
        ({"use_something_new": True}, None, "use_something_new"),
        ({"fan_in_fan_out": True}, None, "fan_in_fan_out"),
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
    with pytest.raises(UserError, match=said):
        merge_adapter(classifier("bert"), adapter(tmp_path, changes, tensors))


def test_a_pickled_adapter_is_refused(tmp_path: Path) -> None:
    adapter(tmp_path)
    (tmp_path / "adapter_model.safetensors").unlink()
    torch.save({}, tmp_path / "adapter_model.bin")
    with pytest.raises(UserError, match="pickled"):
        merge_adapter(classifier("bert"), tmp_path)
