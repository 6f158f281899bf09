"""The list of architectures, and the card of a model, complete or not."""

import json
import shutil
from pathlib import Path

import pytest

from dragoman.nn.family import FAMILIES
from tests.command import dragoman
from tests.nn.tiny import classifier_folder


def test_the_list() -> None:
    said = dragoman("models")
    assert said.code == 0
    assert all(name in said.out for name in FAMILIES.names())
    told = dragoman("models", "--json").json
    assert [one["name"] for one in told["families"]] == list(FAMILIES.names())
    assert told["builtin"] == ["builtin:minilm"]


def test_the_card_of_a_real_model(shared_data: Path) -> None:
    folder = shared_data / "models" / "stories260K"
    card = dragoman("models", str(folder), "--json").json
    assert card["family"] == "llama"
    assert (card["parameters"], card["dtype"]) == (260032, ["F32"])
    assert card["shape"] == {"layers": 5, "width": 64, "heads": 8, "context": 512, "vocabulary": 512}
    assert card["tokenizer"] == {"size": 512, "chat": False}
    assert card["memory"]["fp32"] == 4 * 260032
    assert card["cache_bytes_per_token"] == 2 * 2 * 5 * 4 * 8
    assert "260,032" in dragoman("models", str(folder)).whole


def test_the_card_of_an_encoder(tmp_path: Path) -> None:
    card = dragoman("models", str(classifier_folder("bert", tmp_path / "m")), "--json").json
    assert (card["backend"], card["cache_bytes_per_token"], card["problems"]) == ("dragoman", 0, [])


def test_an_architecture_that_is_not_written_here(tmp_path: Path) -> None:
    folder = classifier_folder("bert", tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "gpt_neox"}))
    said = dragoman("models", str(folder))
    assert "transformers, slower" in said.whole


def test_weights_that_are_cut_short(tmp_path: Path) -> None:
    folder = classifier_folder("bert", tmp_path / "m")
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[:-100])
    said = dragoman("models", str(folder), "--json")
    assert said.code == 1
    assert "damaged or cut short" in said.json["problems"][0]


def test_a_tensor_that_is_missing(shared_data: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = Path(shutil.copytree(shared_data / "models" / "stories260K", tmp_path / "m"))
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.3.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors")
    said = dragoman("models", str(folder), "--json")
    assert said.code == 1
    [problem] = said.json["problems"]
    assert "1 tensor of its 47 missing, such as model.layers.3.mlp.up_proj.weight" in problem


@pytest.mark.parametrize(
    "changes",
    [
        {"architectures": [1]},
        {"architectures": 5},
        {"num_key_value_heads": "abc"},
        {"head_dim": [], "architectures": ["XForCausalLM"]},
        {"num_hidden_layers": True, "decoder_layers": "x", "hidden_size": None},
    ],
)
@pytest.mark.parametrize("family", ["llama", "gpt_neox"])
def test_a_config_of_wrong_types(family: str, changes: dict[str, object], shared_data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shared_data / "models" / "stories260K", tmp_path / "m"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": family, **changes}))
    said = dragoman("models", str(folder), "--json")
    assert said.code in (0, 1)
    if family == "llama" and "architectures" in changes and "head_dim" not in changes:
        assert said.json["cache_bytes_per_token"] == 2 * 2 * 5 * 4 * 8


def test_layers_that_nobody_saved(shared_data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shared_data / "models" / "stories260K", tmp_path / "m"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 20_000}))
    said = dragoman("models", str(folder), "--json")
    assert said.code == 1 and "20000 layers, but its weights hold" in said.json["problems"][0]


def test_an_engine_is_not_asked() -> None:
    assert dragoman("models", "openai:http://127.0.0.1:1/v1#m", "--json").json["url"] == "http://127.0.0.1:1/v1"


@pytest.mark.parametrize("words", [("nowhere",), ("hf:",), ("openai:nothing",)])
def test_no_such_model(words: tuple[str, ...]) -> None:
    assert dragoman("models", *words).code == 2
