"""Our names and the published ones, both ways, tensor by tensor."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from dragoman.core.errors import UserError
from dragoman.nn.names import from_published, pairs, to_published
from dragoman.nn.store import build_lm, family_of
from tests.nets import shape
from tests.nn.tiny import amplify
from tests.published import CASES


@pytest.mark.parametrize("name", CASES)
def test_there_and_back_is_the_same(name: str) -> None:
    arch = shape(name)
    net, language = amplify(build_lm(arch)), family_of(arch.family).language
    found, unused = from_published(to_published(net, net.arch, language), net, net.arch, language)
    ours = dict(net.named_parameters())
    assert unused == ()
    assert set(found) == set(ours)
    assert all(torch.equal(found[key], tensor) for key, tensor in ours.items())


def test_gpt2_stacks_and_turns() -> None:
    net, language = build_lm(shape("gpt2")), family_of("gpt2").language
    made = to_published(net, net.arch, language)
    fused = made["transformer.h.2.attn.c_attn.weight"]
    assert fused.shape == (64, 192)
    assert torch.equal(fused[:, 64:128], net.blocks[2].attention.key.weight.T)
    assert made["transformer.wte.weight"].shape == (99, 64)
    assert "lm_head.weight" not in made


def test_a_prefix_may_be_left_out() -> None:
    net, language = build_lm(shape("gpt2")), family_of("gpt2").language
    made = {name.removeprefix("transformer."): each for name, each in to_published(net, net.arch, language).items()}
    found, _ = from_published(made, net, net.arch, language)
    assert set(found) == set(dict(net.named_parameters()))


def test_the_first_layer_norms_were_spelled_otherwise() -> None:
    net, language = build_lm(shape("bert")), family_of("bert").language
    older = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): each
        for name, each in to_published(net, net.arch, language).items()
    }
    assert any(name.endswith("gamma") for name in older)
    found, _ = from_published(older, net, net.arch, language)
    assert set(found) == set(dict(net.named_parameters()))


def test_copies_and_leftovers_are_known_by_name() -> None:
    net, language = build_lm(shape("gpt2")), family_of("gpt2").language
    made = to_published(net, net.arch, language)
    more = {"lm_head.weight": made["transformer.wte.weight"].clone(), "transformer.h.0.attn.bias": torch.ones(1)}
    assert from_published({**made, **more}, net, net.arch, language)[1] == tuple(sorted(more))
    more["lm_head.weight"] += 1
    with pytest.raises(UserError, match="lm_head"):
        from_published({**made, **more}, net, net.arch, language)


def test_bart_lifts_its_bias_and_t5_names_its_way_up_by_its_gate() -> None:
    bart = build_lm(shape("bart"))
    assert to_published(bart, bart.arch, family_of("bart").language)["final_logits_bias"].shape == (1, 99)
    language = family_of("t5").language
    for arch, expected in ((shape("t5"), {"wi", "wo"}), (shape("t5 gated"), {"wi_0", "wi_1", "wo"})):
        names = {one.name for one in pairs(build_lm(arch), arch, language)}
        assert {name.split(".")[-2] for name in names if "DenseReluDense" in name} == expected


def test_what_a_tuning_wraps_has_no_name() -> None:
    net = build_lm(replace(shape("llama"), layers=1))
    net.blocks[0].attention.query = nn.Sequential(net.blocks[0].attention.query)
    with pytest.raises(ValueError, match="merge the tuning"):
        pairs(net, net.arch, family_of("llama").language)
