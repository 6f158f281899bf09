"""The logits of transformers, for every family that writes or fills in words, both ways through a folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from dragoman.nn.names import pairs
from dragoman.nn.store import family_of, load_lm, save_lm
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.tiny import tokenizer
from tests.published import CASES, REGIMES, Pair, agree, batch, logits, make_pair, opener, quietly

pytest.importorskip("transformers")

EACH = [(name, regime) for name in CASES for regime in REGIMES]


@pytest.fixture(scope="module", params=EACH, ids=[f"{name}-{regime}" for name, regime in EACH])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    name, regime = request.param
    with quietly(name):
        yield make_pair(name, regime, tmp_path_factory.mktemp("theirs"))


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return tokenizer("roberta", tmp_path_factory.mktemp("tokens"))


@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
def test_what_transformers_saves_we_load_with_the_same_logits(pair: Pair, padded: bool) -> None:
    given = batch(pair.name, padded)
    assert agree(logits(pair.ours, given), logits(pair.theirs, given), pair.regime)
    assert pair.ours.unused == ()


def test_what_we_save_opens_here_and_there(pair: Pair, words: Tokenizer, tmp_path: Path) -> None:
    save_lm(pair.ours, words, tmp_path)
    again = load_lm(tmp_path)
    assert again.arch == pair.ours.arch
    assert all(torch.equal(one, other) for one, other in zip(again.parameters(), pair.ours.parameters(), strict=True))
    back, report = opener(pair.name).from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    given = batch(pair.name, padded=True)
    assert agree(logits(pair.ours, given), logits(back.eval(), given), pair.regime)


def test_every_parameter_has_one_published_name(pair: Pair) -> None:
    language = family_of(pair.ours.arch.family).language
    names = [ours for one in pairs(pair.ours, pair.ours.arch, language) for ours in one.ours]
    assert sorted(names) == sorted(name for name, _ in pair.ours.named_parameters())
    assert sum(each.numel() for each in pair.ours.parameters()) == _parameters(pair.theirs)


def _parameters(net: Any) -> int:
    buffer = getattr(net, "final_logits_bias", None)  # BART's is not called a parameter there
    return sum(each.numel() for each in net.parameters()) + (0 if buffer is None else buffer.numel())


# --- as others save: in 16 bits, in parts -----------------------------------------------------------------------------

SOME = ("gpt2", "llama biases", "bert", "t5 gated", "bart")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
@pytest.mark.parametrize("name", SOME)
def test_weights_of_16_bits_load_as_they_are_and_as_float32(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    with quietly(name):
        made = make_pair(name, "amplified", tmp_path / "wide")
        made.theirs.to(dtype).save_pretrained(tmp_path / "narrow")
        ours = load_lm(tmp_path / "narrow")
        same = load_lm(tmp_path / "narrow", dtype)
        assert {each.dtype for each in ours.parameters()} == {torch.float32}
        for wide, narrow in zip(ours.parameters(), same.parameters(), strict=True):
            assert narrow.dtype == dtype
            assert torch.equal(wide, narrow.float())
        given = batch(name, padded=True)
        theirs = opener(name).from_pretrained(tmp_path / "narrow", dtype=torch.float32).eval()
        assert agree(logits(ours, given), logits(theirs, given), "amplified")
        assert bool(logits(same, given).isfinite().all())


@pytest.mark.parametrize("name", ["gpt2", "llama tied", "bart"])
def test_the_body_saved_alone_is_the_whole_model_where_its_head_is_tied(name: str, tmp_path: Path) -> None:
    with quietly(name):
        made = make_pair(name, "amplified", tmp_path / "whole")
        made.theirs.base_model.save_pretrained(tmp_path / "body")  # as facebook/bart-base and the first GPT-2 are
        theirs = opener(name).from_pretrained(tmp_path / "body").eval()
        given = batch(name, padded=True)
        assert agree(logits(load_lm(tmp_path / "body"), given), logits(theirs, given), "amplified")


@pytest.mark.parametrize("name", SOME)
def test_weights_in_many_files_load(name: str, tmp_path: Path) -> None:
    with quietly(name):
        made = make_pair(name, "default", tmp_path / "one")
        made.theirs.save_pretrained(tmp_path / "many", max_shard_size="60KB")
        assert len(list((tmp_path / "many").glob("model-*.safetensors"))) > 2
        again = load_lm(tmp_path / "many")
        for one, other in zip(made.ours.parameters(), again.parameters(), strict=True):
            assert torch.equal(one, other)
