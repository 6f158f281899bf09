"""Memory is asked for before it is taken, and where it was too much after all there is one message."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.types import Message
from dragoman.models import local, memory
from dragoman.models.hf import HfLM
from dragoman.models.local import LocalLM
from dragoman.models.memory import cached_tokens, enough_memory
from dragoman.nn.cache import Cache
from dragoman.nn.decode import Reading
from tests.models.tiny_hf import hf_folder
from tests.nn.tiny_lm import WRITERS, tokens, writer

CPU = torch.device("cpu")


def prompt(text: str) -> list[Message]:
    return [Message("user", text)]


@pytest.fixture
def lm(tmp_path: Path) -> LocalLM:
    return LocalLM(writer("llama"), tokens("llama", tmp_path))


@pytest.mark.parametrize("name", WRITERS)
def test_a_token_of_cache_is_counted_as_it_is_allocated(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net = writer(name)
    held = Cache(net.arch, 3, 10, torch.float32, CPU).bytes
    monkeypatch.setattr(memory, "_CPU_CACHE", held)
    assert cached_tokens(net.arch, CPU, 4) == 30
    monkeypatch.setattr(memory, "_CPU_CACHE", 1)
    assert cached_tokens(net.arch, CPU, 4) == 1


def test_a_gpu_gives_half_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    arch, held = writer("llama").arch, Cache(writer("llama").arch, 1, 100, torch.bfloat16, CPU).bytes
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (held, 10 * held))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 5 * held)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 4 * held)
    assert cached_tokens(arch, torch.device("cuda"), 2) == 100


def test_batches_are_as_large_as_their_cache_may_be(lm: LocalLM, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    inner = LocalLM._batch

    def watched(self: LocalLM, rows: Any, how: Sampling) -> list[Completion]:
        batches.append(len(rows))
        return inner(self, rows, how)

    monkeypatch.setattr(LocalLM, "_batch", watched)
    asked, how = [prompt("abc")] * 7, Sampling(max_tokens=6, temperature=1)
    free = lm.generate(asked, how)
    wide = len(lm.ids(asked[0])) + 6
    monkeypatch.setattr(local, "cached_tokens", lambda arch, device, size: 3 * wide)
    assert lm.generate(asked, how) == free
    monkeypatch.setattr(local, "cached_tokens", lambda arch, device, size: 1)
    assert lm.generate(asked, how) == free
    assert batches == [7, 3, 3, 1, *[1] * 7]


def test_scores_are_bounded_and_the_same(lm: LocalLM, monkeypatch: pytest.MonkeyPatch) -> None:
    options = [" the hill in the tin", *(f" {one}{other}" for one in "abcde" for other in "fghij")]
    free = lm.score([prompt("the hill"), prompt("a")], options)
    sizes: list[int] = []
    inner = Reading.go_on

    def watched(self: Reading, ids: Any) -> Any:
        sizes.append(ids.numel())
        return inner(self, ids)

    monkeypatch.setattr(Reading, "go_on", watched)
    monkeypatch.setattr(local, "SCORED", 5)
    assert np.allclose(lm.score([prompt("the hill"), prompt("a")], options), free, atol=1e-4)
    assert max(sizes) <= 5
    monkeypatch.setattr(local, "cached_tokens", lambda arch, device, size: 1)
    assert np.allclose(lm.score([prompt("the hill"), prompt("a")], options), free, atol=1e-4)


def too_much(*words: object, **more: object) -> None:
    torch.empty(10**15)


def test_no_memory_is_one_message(lm: LocalLM, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local, "read", too_much)
    monkeypatch.setattr("dragoman.nn.decode.read", too_much)
    theirs = HfLM(hf_folder("gpt_neox", tmp_path), device="cpu")
    theirs._net.model.forward = too_much
    for one, fewer in ((lm, "precision=int8"), (theirs, "precision=bf16")):
        for call in (
            lambda one=one: one.generate([prompt("a")], Sampling()),
            lambda one=one: list(one.stream(prompt("a"), Sampling())),
            lambda one=one: one.score([prompt("a")], ["b"]),
        ):
            with pytest.raises(UserError, match="too little memory") as caught:
                call()
            assert "max_tokens" in caught.value.hint
            assert fewer in caught.value.hint


def test_a_gpu_without_memory_too_and_no_other_error() -> None:
    with pytest.raises(UserError, match="too little memory"), enough_memory(True):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    with pytest.raises(RuntimeError, match="shape"), enough_memory(True):
        raise RuntimeError("a shape is wrong")
