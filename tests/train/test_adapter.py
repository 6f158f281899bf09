"""An adapter written and read again is the same tuning over the same base, and a wrong one is refused whole."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dragoman.core.errors import UserError
from dragoman.nn.adapter import merge_adapter
from dragoman.train.adapter import read_adapter, write_adapter
from dragoman.train.low_rank import low_rank_modules
from dragoman.train.rows import fold
from dragoman.train.tuning.lora import Lora
from tests.train.small import begun, net, steps

IDS = torch.tensor([[1, 5, 9, 30, 2], [1, 60, 61, 7, 2]])
LORAS = [Lora(rank=2), Lora(rank=3, alpha=5.0, stabilised=True, where=("query", "down"), dropout=0.1)]


def written(folder: Path, lora: Lora) -> torch.Tensor:
    """Train a few steps, write the adapter, and return what the net says then."""
    training = begun(lora)
    steps(training, 4)
    fold(training.net)
    write_adapter(training.net, lora, folder, "models/base")
    with torch.no_grad():
        return training.net.eval()(IDS, None)  # type: ignore[no-any-return]


@pytest.mark.parametrize("lora", LORAS)
def test_reload_is_equal(tmp_path: Path, lora: Lora) -> None:
    said = written(tmp_path, lora)
    again = net()
    assert read_adapter(again, tmp_path) == Lora(
        lora.rank, lora.alpha, lora.stabilised, tuple(sorted(lora.where)), lora.dropout
    )
    with torch.no_grad():
        assert torch.equal(again.eval()(IDS, None), said)
        merged = net()
        merge_adapter(merged, tmp_path)
        assert torch.allclose(merged(IDS, None), said, atol=1e-5)


def test_what_is_written(tmp_path: Path) -> None:
    written(tmp_path, LORAS[0])
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA"
    assert config["base_model_name_or_path"] == "models/base"
    assert config["modules_to_save"] == ["bert.pooler.dense", "classifier"]
    assert "bert.encoder.layer.0.attention.self.query" in config["target_modules"]
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o644}
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    assert tensors["base_model.model.bert.encoder.layer.2.output.dense.lora_A.weight"].shape == (2, 32)
    assert len(tensors) == 3 * 6 * 2 + 4


def test_a_merged_net_has_no_adapter(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no low-rank layer"):
        write_adapter(net(), Lora(), tmp_path, "")


def spoil(folder: Path, how: str) -> None:
    """Make an adapter wrong in one way."""
    config = json.loads((folder / "adapter_config.json").read_text())
    tensors = load_file(folder / "adapter_model.safetensors")
    first = next(name for name in sorted(tensors) if "lora_A" in name)
    if how == "kind":
        config["peft_type"] = "IA3"
    elif how == "dora":
        config["use_dora"] = True
    elif how == "rank":
        config["r"] = 5
    elif how == "no alpha":
        del config["lora_alpha"]
    elif how == "missing":
        del tensors[first]
    elif how == "foreign":
        tensors["base_model.model.decoder.weight"] = torch.ones(1)
    elif how == "shape":
        tensors[first] = tensors[first][:, :-1].contiguous()
    (folder / "adapter_config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "adapter_model.safetensors")


@pytest.mark.parametrize("how", ["kind", "dora", "rank", "no alpha", "missing", "foreign", "shape"])
def test_a_wrong_adapter_is_refused_and_the_net_untouched(tmp_path: Path, how: str) -> None:
    written(tmp_path, LORAS[0])
    spoil(tmp_path, how)
    model = net()
    with pytest.raises(UserError):
        read_adapter(model, tmp_path)
    assert not low_rank_modules(model)
    assert torch.equal(model(IDS, None), net()(IDS, None))
