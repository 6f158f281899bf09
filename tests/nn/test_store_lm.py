"""Folders of language models that do not fit are refused with the name of what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.nn.store import build_lm, fresh_lm, load_lm, read_arch, save_lm
from tests.nets import shape
from tests.nn.tiny import amplify, tokenizer


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    made = tmp_path_factory.mktemp("good")
    save_lm(fresh_lm(shape("llama tied")), tokenizer("roberta", made / "tokens"), made / "net")
    return {path.name: path.read_bytes() for path in (made / "net").iterdir()}


@pytest.fixture
def folder(good: dict[str, bytes], tmp_path: Path) -> Path:
    for name, content in good.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def change_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def change_weights(folder: Path, changes: dict[str, Tensor], without: tuple[str, ...] = ()) -> None:
    tensors = load_file(folder / "model.safetensors") | changes
    save_file({name: each for name, each in tensors.items() if name not in without}, folder / "model.safetensors")


def refused(folder: Path, match: str) -> UserError:
    with pytest.raises(UserError, match=match) as caught:
        load_lm(folder)
    assert caught.value.hint
    return caught.value


def test_the_good_folder_loads(folder: Path) -> None:
    net = load_lm(folder)
    assert not net.training
    assert net.arch == read_arch(folder) == shape("llama tied")
    assert load_lm(folder, torch.bfloat16).head.weight.dtype == torch.bfloat16


def test_what_the_tokenizer_ends_with_stands_in_the_config(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["dtype"] == "float32"


def test_a_missing_tensor_is_named(folder: Path) -> None:
    change_weights(folder, {}, without=("model.layers.2.mlp.up_proj.weight", "model.norm.weight"))
    refused(folder, r"lack model\.layers\.2\.mlp\.up_proj\.weight and 1 more")


def test_an_unexpected_tensor_is_named(folder: Path) -> None:
    change_weights(folder, {"model.layers.0.self_attn.q_proj.bias": torch.zeros(128)})
    refused(folder, r"unexpected tensor model\.layers\.0\.self_attn\.q_proj\.bias")


def test_a_tensor_under_two_names_is_refused(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    change_weights(folder, {"layers.0.input_layernorm.weight": tensors["model.layers.0.input_layernorm.weight"]})
    refused(folder, r"same tensor as .*layers\.0\.input_layernorm\.weight")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"vocab_size": 100}, r"model\.embed_tokens\.weight the shape \(100, 64\), the weights \(99, 64\)"),
        ({"intermediate_size": 64}, r"mlp"),
        ({"num_key_value_heads": 4}, r"self_attn\.k_proj"),
        ({"head_dim": 16}, r"self_attn"),
        ({"num_hidden_layers": 5}, r"lack model\.layers\.4"),
        ({"num_hidden_layers": 3}, r"unexpected tensor model\.layers\.3"),
        ({"num_hidden_layers": 1_000_000}, r"1000000 layers"),
        ({"num_hidden_layers": 1 << 28, "layer_types": None}, r"268435456 layers"),
        ({"model_type": "gemma3_text", "layer_types": [{}]}, r"layer_types"),
        ({"attention_bias": True}, r"lack model\.layers\.0\.self_attn\.k_proj\.bias"),
        ({"num_attention_heads": 0}, r"heads = 0"),
        ({"num_key_value_heads": 3}, r"3 heads that answer"),
        ({"head_dim": 31}, r"odd"),
        ({"hidden_size": "64"}, r"hidden_size"),
        ({"tie_word_embeddings": False}, r"lack lm_head\.weight"),
        ({"model_type": None}, r"model_type"),
        ({"model_type": ["llama"]}, r"model_type"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, r"auto_map"),
    ],
)
def test_a_config_of_another_model_is_refused(folder: Path, changes: dict[str, Any], match: str) -> None:
    change_config(folder, **changes)
    refused(folder, match)


def test_an_unknown_architecture_is_said_with_the_nearest(folder: Path) -> None:
    change_config(folder, model_type="lama")
    caught = refused(folder, "no family named 'lama'")
    assert "did you mean 'llama'" in caught.hint


def test_a_file_that_was_cut_is_refused_wherever_it_was_cut(folder: Path, good: dict[str, bytes]) -> None:
    whole = good["model.safetensors"]
    for kept in (0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1):
        (folder / "model.safetensors").write_bytes(whole[:kept])
        refused(folder, "damaged or cut short")


def test_a_flipped_bit_of_the_header_is_never_a_traceback(folder: Path, good: dict[str, bytes]) -> None:
    whole = good["model.safetensors"]
    header = 8 + int.from_bytes(whole[:8], "little")
    refusals = 0
    for bit in range(0, header * 8, 397):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        (folder / "model.safetensors").write_bytes(damaged)
        try:
            load_lm(folder)
        except UserError:
            refusals += 1
    assert refusals > header * 8 // 397 // 2  # a blank more or a number of the metadata hurts nobody


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused_with_its_tensor(folder: Path, value: float) -> None:
    rows = torch.randn(64)
    rows[11] = value
    change_weights(folder, {"model.norm.weight": rows})
    refused(folder, r"model\.norm\.weight .* not finite")


@pytest.mark.parametrize("name", ["model.norm.weight", "lm_head.weight"])
def test_whole_numbers_where_floats_belong_are_refused_by_name(folder: Path, name: str) -> None:
    words = load_file(folder / "model.safetensors")["model.embed_tokens.weight"]
    change_weights(folder, {name: torch.ones(64, dtype=torch.int32) if "norm" in name else words.to(torch.int32)})
    refused(folder, "norm.weight in .* holds int32" if "norm" in name else "ties lm_head.weight")


def test_no_decoder_is_built_that_nobody_saved(tmp_path: Path) -> None:
    save_lm(fresh_lm(shape("bart")), tokenizer("roberta", tmp_path / "tokens"), tmp_path / "net")
    change_config(tmp_path / "net", decoder_layers=20_000)
    refused(tmp_path / "net", r"2000\d layers")


def test_pickled_weights_are_not_opened(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    refused(folder, "no model.safetensors")
    torch.save({}, folder / "pytorch_model.bin")
    assert "save_pretrained" in refused(folder, "pickled").hint
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    refused(folder, "is a pickle under the name")


def test_a_tied_head_that_says_something_else_is_refused(folder: Path) -> None:
    words = load_file(folder / "model.safetensors")["model.embed_tokens.weight"]
    change_weights(folder, {"lm_head.weight": words.clone()})
    assert load_lm(folder).unused == ("lm_head.weight",)
    change_weights(folder, {"lm_head.weight": words + 1e-3})
    refused(folder, "ties lm_head.weight")


def test_t5_says_by_its_weights_whether_its_head_is_tied(tmp_path: Path) -> None:
    net = amplify(build_lm(shape("t5 gated"))).eval()
    save_lm(net, tokenizer("roberta", tmp_path / "tokens"), tmp_path / "net")
    change_config(tmp_path / "net", tie_word_embeddings=True)  # as transformers writes it down
    back = load_lm(tmp_path / "net")
    assert back.arch == net.arch
    assert torch.equal(back.decoder.head.weight, net.decoder.head.weight)


def test_an_index_that_names_a_part_twice_or_elsewhere_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model-00001-of-00001.safetensors"}}))
    assert load_lm(folder).arch == shape("llama tied")
    index.write_text(json.dumps({"weight_map": {"a": "../model-00001-of-00001.safetensors"}}))
    refused(folder, "not in the folder")
    (folder / "other.safetensors").write_bytes((folder / "model-00001-of-00001.safetensors").read_bytes())
    index.write_text(json.dumps({"weight_map": {"a": "model-00001-of-00001.safetensors", "b": "other.safetensors"}}))
    refused(folder, "stands in two weight files")
