"""What holds for every transformer: the future is unseen, company changes nothing, a fused net is the same net."""

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from dragoman.nn.attention import Attention, Sight
from dragoman.nn.store import build_lm, family_of, fresh_lm, load_lm, save_lm
from tests.nets import DECODERS, MASKED, READERS, close, decoder, shape, some, two_stacks
from tests.nn.tiny import ARCHES, amplify, tokenizer


@pytest.mark.parametrize("name", DECODERS)
def test_the_future_changes_no_bit_of_the_past(name: str) -> None:
    net, ids = decoder(name), some(2, 20)
    with torch.no_grad():
        before = net(ids)
        for place in (1, 10, 19):
            other = ids.clone()
            other[:, place] = (ids[:, place] + 1) % 99
            after = net(other)
            assert torch.equal(after[:, :place], before[:, :place])
            assert not torch.equal(after[:, place], before[:, place])


@pytest.mark.parametrize("name", READERS)
def test_the_future_of_an_answer_changes_no_bit_of_its_past(name: str) -> None:
    net, ids, targets = two_stacks(name), some(2, 9), some(2, 12, 1)
    other = targets.clone()
    other[:, 7] = (targets[:, 7] + 1) % 99
    with torch.no_grad():
        before, after = net(ids, None, targets), net(ids, None, other)
    assert torch.equal(after[:, :7], before[:, :7])
    assert not torch.equal(after[:, 7], before[:, 7])


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", DECODERS)
def test_a_padded_row_is_the_row_alone(name: str, side: str) -> None:
    net, ids = decoder(name), some(3, 16)
    mask = torch.arange(16)[None] < torch.tensor([[16], [3], [9]])
    mask = mask.flip(1) if side == "left" else mask
    with torch.no_grad():
        together = net(ids.where(mask, 0), mask)
        assert bool(together.isfinite().all())
        for row in range(3):
            assert close(together[row][mask[row]], net(ids[row][mask[row]][None])[0])


@pytest.mark.parametrize("name", READERS)
def test_padded_sources_and_answers_are_those_alone(name: str) -> None:
    net, ids, targets = two_stacks(name), some(3, 16), some(3, 10, 1)
    mask = torch.arange(16)[None] < torch.tensor([[16], [3], [9]])
    said = torch.arange(10)[None] < torch.tensor([[4], [10], [7]])
    with torch.no_grad():
        together = net(ids.where(mask, 0), mask, targets.where(said, 0), said)
        for row in range(3):
            alone = net(ids[row][mask[row]][None], None, targets[row][said[row]][None])[0]
            assert close(together[row][said[row]], alone, 2e-5)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_heads_that_share_are_heads_with_equal_weights(groups: int) -> None:
    arch = replace(shape("llama"), kv_heads=groups, head_width=16)
    torch.manual_seed(0)
    few, all_of_them = Attention(arch).eval(), Attention(replace(arch, kv_heads=4)).eval()
    for part in ("query", "key", "value", "output"):
        rows = getattr(few, part).weight
        if part in ("key", "value"):
            rows = rows.view(groups, 16, -1).repeat_interleave(4 // groups, 0).flatten(0, 1)
        getattr(all_of_them, part).weight = nn.Parameter(rows)
    states = torch.randn(2, 7, arch.width)
    mask = torch.rand(2, 1, 7, 7) < 0.7
    mask |= torch.eye(7, dtype=torch.bool)
    bias = torch.randn(1, 4, 7, 7)
    with torch.no_grad():
        for sight in (Sight(), Sight(causal=True), Sight(mask), Sight(bias=bias)):
            assert (few(states, sight) - all_of_them(states, sight)).abs().max() <= 1e-6
        for sight in (Sight(), Sight(mask[:, :, :1, :1]), Sight(bias=bias[:, :, :1, :1])):
            assert (few(states[:, :1], sight) - all_of_them(states[:, :1], sight)).abs().max() <= 1e-6


@pytest.mark.parametrize("name", [*DECODERS, *READERS, *MASKED])
def test_a_fresh_net_knows_nothing(name: str) -> None:
    arch = replace(shape(name), vocabulary=512)
    net = fresh_lm(arch).eval()
    dice = torch.Generator().manual_seed(0)
    ids, labels = (torch.randint(3, 512, (8, 64), generator=dice) for _ in range(2))
    with torch.no_grad():
        logits = net(ids, None, labels.flip(0)) if name in READERS else net(ids)
    assert float(cross_entropy(logits.flatten(0, 1), labels.flatten())) == pytest.approx(math.log(512), abs=0.05)


def test_fresh_weights_follow_the_seed() -> None:
    one, same, other = (fresh_lm(shape("gemma3_text"), seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["embeddings.words.weight"], other["embeddings.words.weight"])
    assert not one["blocks.0.attention_norm.weight"].any()  # a gain of 1, saved as its distance from 1


def _tables(net: Any) -> tuple[Any, Any]:
    decoder = getattr(net, "decoder", net)
    encoder = getattr(net, "encoder", net)
    return encoder.embeddings.words.weight, decoder.head.weight


@pytest.mark.parametrize("name", ["gpt2", "llama tied", "gemma", "bert", "distilbert", "t5", "bart"])
def test_tied_weights_stay_one(name: str, tmp_path: Path) -> None:
    net = amplify(build_lm(shape(name))).eval()
    save_lm(net, tokenizer("roberta", tmp_path / "tokens"), tmp_path / "net")
    loaded = load_lm(tmp_path / "net")
    for one in (net, loaded, copy.deepcopy(loaded), copy.deepcopy(loaded).to(torch.bfloat16)):
        words, head = _tables(one)
        assert words is head
        if name in READERS:
            assert one.decoder.embeddings.words is one.encoder.embeddings.words


def test_untied_weights_stay_two() -> None:
    words, head = _tables(build_lm(shape("llama")))
    assert words is not head


@pytest.mark.parametrize("name", DECODERS)
def test_one_matrix_for_three_is_the_same_net(name: str) -> None:
    plain = fresh_lm(shape(name)).eval()
    for each in plain.parameters():
        if each.ndim == 1:
            nn.init.normal_(each, 1.0, 0.1, generator=torch.Generator().manual_seed(0))
    fused = copy.deepcopy(plain)
    for block in fused.blocks:
        block.attention.fuse()
        block.feed_forward.fuse()
    ids = some(2, 20)
    with torch.no_grad():
        assert close(fused(ids), plain(ids), 2e-6)
    assert sum(each.numel() for each in fused.parameters()) == sum(each.numel() for each in plain.parameters())


def test_every_family_has_presets_of_its_own_kind() -> None:
    for name in ("gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma3_text", "t5", "bart", "bert"):
        family = family_of(name)
        assert {arch.kind for arch in family.presets.values()} == {family.kind}
        assert {arch.family for arch in family.presets.values()} == {name}
    assert set(MASKED) == set(ARCHES)
