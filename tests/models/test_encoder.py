"""The embedder's laws: unit vectors, in order, the same in any company, and bf16 only where it is proven."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dragoman.core.doors import Embedder
from dragoman.core.errors import UserError
from dragoman.models import encoder
from dragoman.models.encoder import LocalEncoder, longest_text, plan
from tests.nn.tiny import ARCHES, FAMILIES, TEXTS, classifier, tokenizer


def local(family: str, folder: Path, **settings: object) -> LocalEncoder:
    settings = {"precision": "fp32", **settings}
    return LocalEncoder(classifier(family).encoder, tokenizer(family, folder), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("pool_first", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_batch_is_one_by_one(family: str, pool_first: bool, tmp_path: Path) -> None:
    embedder = local(family, tmp_path, pool_first=pool_first)
    texts = [*TEXTS, *(f"the {'cat ' * length}" for length in range(20))]
    together = embedder.embed(texts)
    assert together.shape == (len(texts), 64)
    assert together.dtype == np.float32
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-6
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(embedder.embed(texts[::-1])[::-1] - together).max() < 1e-5


def test_nothing_in_nothing_out(tmp_path: Path) -> None:
    assert local("bert", tmp_path).embed([]).shape == (0, 64)
    assert isinstance(local("bert", tmp_path), Embedder)


def test_progress_counts_the_texts_done(tmp_path: Path) -> None:
    seen: list[int] = []
    local("bert", tmp_path).embed(["the cat"] * 20, seen.append)
    assert seen == [8, 16, 20]


def test_longer_texts_are_cut_and_counted(tmp_path: Path) -> None:
    embedder = local("bert", tmp_path, max_length=6)
    assert np.abs(embedder.embed(["the cat sat on the mat"]) - embedder.embed(["the cat sat on"])).max() < 1e-6
    assert embedder.cut(["the cat sat on the mat", "the cat"]) == 1


def test_the_length_that_is_read(tmp_path: Path) -> None:
    tokens = tokenizer("bert", tmp_path)
    arch = ARCHES["bert"]
    assert longest_text(arch, tokens) == 40
    assert longest_text(arch, tokens, 8) == 8
    tokens.max_length = 512
    assert longest_text(arch, tokens) == 40
    tokens.max_length = 16
    assert longest_text(arch, tokens) == 16
    with pytest.raises(UserError, match="positions for 40"):
        longest_text(arch, tokens, 41)


def test_bf16_is_taken_only_when_proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "has_bf16", lambda device: True)
    near = local("bert", tmp_path, precision="auto")
    exact = local("bert", tmp_path)
    assert (near.precision, exact.precision, exact.proof) == ("bf16", "fp32", 1.0)
    assert 0.999 <= near.proof < 1
    assert (near.embed(TEXTS) * exact.embed(TEXTS)).sum(1).min() > 0.999

    monkeypatch.setattr(encoder, "EQUAL", 1.1)
    refused = local("bert", tmp_path, precision="auto")
    assert refused.precision == "fp32"
    assert np.array_equal(refused.embed(TEXTS), exact.embed(TEXTS))
    assert local("bert", tmp_path, precision="bf16").precision == "bf16"


def test_no_bf16_where_the_hardware_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "has_bf16", lambda device: False)
    assert local("bert", tmp_path, precision="auto").precision == "fp32"


def test_a_gpu_gets_a_budget_of_tokens() -> None:
    assert [len(batch) for batch in plan([100] * 20, torch.device("cpu"))] == [8, 8, 4]
    assert [len(batch) for batch in plan([100] * 400, torch.device("cuda"))] == [327, 73]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no accelerator here")
def test_a_gpu_gives_the_same_vectors(tmp_path: Path) -> None:
    there = local("bert", tmp_path, device=torch.device("cuda"))
    assert np.abs(there.embed(TEXTS) - local("bert", tmp_path).embed(TEXTS)).max() < 1e-4
