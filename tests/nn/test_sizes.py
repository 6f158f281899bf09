"""A shape to train from nothing is as large as was asked, and one that its publisher's library opens."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.errors import UserError
from dragoman.nn.footprint import count
from dragoman.nn.fresh import fill
from dragoman.nn.sizes import FRESH, fresh_arch
from dragoman.nn.store import build_lm, family_of, save_lm
from tests.nets import parameters
from tests.nn.tiny import tokenizer


@pytest.mark.parametrize("family", FRESH)
@pytest.mark.parametrize("size", [400_000, 1_000_000, 15_000_000, 124_000_000, 1_000_000_000])
def test_the_size_is_met(family: str, size: int) -> None:
    arch = fresh_arch(family, 2048, 512, parameters=size)
    assert parameters(arch) == pytest.approx(size, rel=0.1)
    assert arch.longest >= 512
    assert 14 <= arch.width / arch.layers <= 130
    assert arch.head_size % 2 == 0 and 16 <= arch.head_size <= 64
    assert arch.feed_forward % 32 == 0


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(("qwen3", "t5", "bert")), st.integers(300_000, 10**9), st.floats(1.001, 3.0))
def test_a_larger_size_is_no_smaller_model(family: str, size: int, times: float) -> None:
    small, large = (fresh_arch(family, 1000, 256, parameters=wanted) for wanted in (size, int(size * times)))
    assert count(small).total <= count(large).total


def test_numbers_are_taken_as_they_are() -> None:
    arch = fresh_arch("gpt2", 65, 64, width=128, layers=4, heads=4, feed_forward=512, dropout=0.2)
    assert (arch.width, arch.layers, arch.heads, arch.feed_forward, arch.positions) == (128, 4, 4, 512, 64)
    assert arch.dropout == arch.attention_dropout == 0.2
    assert parameters(arch) == 809_856  # nanoGPT's model of characters, with its biases
    few = fresh_arch("llama", 100, 64, width=256, kv_heads=2, tied=False)
    assert (few.groups, few.heads % 2, few.tied) == (2, 0, False)
    assert fresh_arch("qwen3", 100, 64, parameters=10**6, layers=6).layers == 6
    assert fresh_arch("qwen3", 100, 64, parameters=10**6, heads=3, kv_heads=1).heads == 3


@pytest.mark.parametrize("family", FRESH)
def test_its_own_config_says_the_same_shape(family: str) -> None:
    arch = fresh_arch(family, 512, 128, parameters=700_000)
    assert family_of(family).read(family_of(family).write(arch)) == arch


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3", "bert", "t5"])
def test_transformers_opens_it(family: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    arch = fresh_arch(family, 512, 64, width=48, layers=2)
    net = build_lm(arch).eval()
    fill(net, arch, 0)
    save_lm(net, tokenizer("roberta", tmp_path / "tokens"), tmp_path / "net")
    kind = {"encoder": "MaskedLM", "decoder": "CausalLM", "encoder-decoder": "Seq2SeqLM"}[arch.kind]
    theirs = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(tmp_path / "net").eval()
    ids = torch.randint(3, 512, (2, 20), generator=torch.Generator().manual_seed(0))
    two = arch.kind == "encoder-decoder"
    with torch.no_grad():
        ours = net(ids, None, ids) if two else net(ids)
        expected = theirs(input_ids=ids, **({"decoder_input_ids": ids} if two else {})).logits
    assert (ours - expected).abs().max() <= 2e-6 * expected.abs().max()


@pytest.mark.parametrize(
    ("family", "vocabulary", "settings", "problem"),
    [
        ("qwen4", 100, {"parameters": 10**6}, "no fresh model of the family 'qwen4'"),
        ("qwen3", 50_000, {"parameters": 10**6}, "parameters at the least"),
        ("qwen3", 100, {}, "neither a size nor a width"),
        ("qwen3", 100, {"parameters": -5}, "neither a size nor a width"),
        ("qwen3", 100, {"width": 100, "heads": 3}, "cannot share a width"),
        ("qwen3", 100, {"width": 97}, "odd"),
        ("qwen3", 100, {"parameters": 10**6, "kv_heads": 10**6}, "no width"),
        ("qwen3", 0, {"width": 64}, "vocabulary"),
    ],
)
def test_what_cannot_be(family: str, vocabulary: int, settings: dict[str, int], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        fresh_arch(family, vocabulary, 64, **settings)
