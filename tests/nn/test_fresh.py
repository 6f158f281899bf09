"""Fresh weights have the spread that was meant, follow their seed, and know nothing."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from dragoman.nn.fresh import fill
from dragoman.nn.sizes import FRESH, fresh_arch
from dragoman.nn.store import LanguageModel, build_lm
from tests.nets import shape


def fresh(family: str, seed: int = 0, still: bool = False, vocabulary: int = 512) -> LanguageModel:
    arch = fresh_arch(family, vocabulary, 64, width=128, layers=4)
    net = build_lm(arch)
    fill(net, arch, seed, still)
    return net.eval()


@pytest.mark.parametrize("still", [False, True])
@pytest.mark.parametrize("family", FRESH)
def test_the_first_loss_is_that_of_a_guess(family: str, still: bool) -> None:
    net = fresh(family, still=still, vocabulary=2048)
    dice = torch.Generator().manual_seed(0)
    ids, labels = (torch.randint(3, 2048, (8, 64), generator=dice) for _ in range(2))
    with torch.no_grad():
        logits = net(ids, None, labels.flip(0)) if net.arch.kind == "encoder-decoder" else net(ids)
    loss = cross_entropy(logits.flatten(0, 1), labels.flatten())
    assert float(loss) == pytest.approx(math.log(2048), abs=0.05)


def test_what_is_added_to_the_stream_is_smaller_by_the_root_of_its_number() -> None:
    for family, times in (("gpt2", 8), ("bert", 8)):
        weights = fresh(family).state_dict()
        front = "encoder." if family == "bert" else ""
        inner, outer = (weights[f"{front}blocks.1.attention.{name}.weight"] for name in ("query", "output"))
        assert float(inner.std()) == pytest.approx(0.02, rel=0.02)
        assert float(outer.std()) == pytest.approx(0.02 / times**0.5, rel=0.02)
        assert float(weights[f"{front}blocks.3.feed_forward.down.weight"].std()) == pytest.approx(
            0.02 / times**0.5, rel=0.02
        )
    both = fresh("t5").state_dict()  # its decoder also hears the encoder: three matrices a layer
    assert float(both["encoder.blocks.0.attention.output.weight"].std()) == pytest.approx(0.02 / 8**0.5, rel=0.02)
    assert float(both["decoder.blocks.0.cross.output.weight"].std()) == pytest.approx(0.02 / 12**0.5, rel=0.02)


def test_a_still_net_begins_by_changing_nothing() -> None:
    net = fresh("qwen3", still=True)
    ids = torch.arange(12)[None]
    with torch.no_grad():
        assert torch.equal(net.states(ids), net.norm(net.embeddings(ids, ids)))  # type: ignore[union-attr, operator]


def test_weights_follow_the_seed() -> None:
    one, same, other = (fresh("llama", seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["blocks.2.attention.output.weight"], other["blocks.2.attention.output.weight"])


def test_gains_are_one_and_biases_nought() -> None:
    net = build_lm(shape("gpt2"))
    torch.nn.init.constant_(net.blocks[0].attention.output.bias, 3.0)  # type: ignore[index, union-attr]
    fill(net, net.arch, 0)
    for name, values in net.state_dict().items():
        if values.ndim == 1:
            assert torch.equal(values, torch.full_like(values, float(name.endswith("norm.weight")))), name
