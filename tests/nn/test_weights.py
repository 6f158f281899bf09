"""A model folder is read without trusting it."""

import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dragoman.core.errors import UserError
from dragoman.nn.weights import model_folder, read_config, read_json, read_tensors, weight_files


def refused(folder: Path, match: str) -> str:
    with pytest.raises(UserError, match=match) as caught:
        read_tensors(folder)
    assert caught.value.hint
    return caught.value.hint


def test_a_folder_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name, said in (("nothing", "does not exist"), ("file", "is a file")):
        with pytest.raises(UserError, match=said):
            model_folder(tmp_path / name)


def test_half_precision_weights_become_fp32(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2, dtype=torch.bfloat16), "n": torch.arange(3)}, tmp_path / "model.safetensors")
    found = read_tensors(tmp_path)
    assert found["a"].dtype == torch.float32
    assert found["n"].dtype == torch.int64


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt", "model.pkl", "last.ckpt"])
def test_pickled_weights_are_refused_by_name(name: str, tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / name)
    assert "save_pretrained" in refused(tmp_path, "pickled")


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a pickle was opened",))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_under_another_name_is_refused_unopened(protocol: int, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(pickle.dumps(Bomb(), protocol))
    refused(tmp_path, "is a pickle")


def test_a_torch_archive_under_another_name_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "model.safetensors")
    refused(tmp_path, "is a pickle")


def test_a_header_whose_length_looks_like_a_pickle_is_read(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode().ljust(0x0280)
    start = struct.pack("<Q", len(header))
    assert start[:2] == b"\x80\x02"
    (tmp_path / "model.safetensors").write_bytes(start + header + struct.pack("<f", 2.0))
    assert read_tensors(tmp_path)["a"].tolist() == [2.0]


@pytest.mark.parametrize("kept", [0, 4, 9, 60, 100, -1])
def test_a_cut_file_is_refused(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.ones(20), "b": torch.ones(3)}, path)
    path.write_bytes(path.read_bytes()[:kept])
    refused(tmp_path, "damaged or cut short")


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.tensor([1.0, float("nan")])}, tmp_path / "model.safetensors")
    refused(tmp_path, "not finite")


def test_weights_in_parts(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "model-1.safetensors")
    save_file({"b": torch.zeros(1)}, tmp_path / "model-2.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}))
    assert sorted(read_tensors(tmp_path)) == ["a", "b"]
    for bad in ("../model-1.safetensors", "model-3.safetensors", "config.json"):
        index.write_text(json.dumps({"weight_map": {"a": bad}}))
        refused(tmp_path, "not in the folder")
    index.write_text("{}")
    refused(tmp_path, "names no weight file")
    save_file({"a": torch.ones(1)}, tmp_path / "model-2.safetensors")
    index.write_text(json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}))
    refused(tmp_path, "two weight files")


def test_no_weights_at_all(tmp_path: Path) -> None:
    refused(tmp_path, r"there is no model\.safetensors")
    assert weight_files.__doc__


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]", b"[" * 100_000])
def test_json_that_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(UserError, match=r"config\.json"):
        read_json(tmp_path / "config.json")


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("key", ["auto_map", "trust_remote_code"])
def test_code_of_the_publisher_is_never_run(name: str, key: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / name).write_text(json.dumps({key: {"AutoModel": "their--repo--model.Net"}}))
    with pytest.raises(UserError, match=key):
        read_config(tmp_path)
