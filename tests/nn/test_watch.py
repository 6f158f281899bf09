"""The shares that are looked at are the shares that the model used."""

from dataclasses import replace

import pytest
import torch

from dragoman.nn.arch import Arch, Rope
from dragoman.nn.attention import Attention, Sight
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.encoder import Encoder
from dragoman.nn.watch import attention_shares, watch
from tests.nn.tiny import amplify

READS = Arch("bert", 60, 32, 3, 4, 48, 20)
WRITES = replace(READS, kind="decoder", norm_place="before", final_norm=True, token_types=0, embedding_norm=False)
KINDS = {
    "bert": READS,
    "gpt2": WRITES,
    "llama": replace(WRITES, norm="rms", position="rotary", kv_heads=2, rope=Rope(theta=100.0), attention_bias=False),
    "qwen3": replace(WRITES, norm="rms", position="rotary", kv_heads=1, head_norm=True, head_width=16),
    "alibi": replace(WRITES, position="alibi"),
    "windowed": replace(WRITES, position="rotary", window=3),
}


@pytest.mark.parametrize("name", KINDS)
def test_shares_give_the_answer_of_the_module(name: str) -> None:
    arch = KINDS[name]
    torch.manual_seed(0)
    stack = (Encoder if arch.kind == "encoder" else Decoder)(arch).eval()
    amplify(stack)
    ids = torch.randint(0, 60, (1, 9))
    answers: list[tuple[torch.Tensor, torch.Tensor]] = []

    def compare(module: torch.nn.Module, args: tuple[torch.Tensor, Sight], out: torch.Tensor) -> None:
        assert isinstance(module, Attention)
        answers.append((attention_shares(module, args[0], args[1])[1], out))

    handles = [block.attention.register_forward_hook(compare) for block in stack.blocks]
    with torch.no_grad(), watch(stack) as seen:
        stack(ids)
    for handle in handles:
        handle.remove()
    assert len(answers) == len(seen.shares) == 3
    for found, expected in answers:
        assert (found - expected).abs().max() < 1e-5 * max(1.0, float(expected.abs().max()))
    for shares in seen.shares:
        assert shares.shape == (4, 9, 9)
        assert (shares.sum(-1) - 1).abs().max() < 1e-6
        assert bool((shares.triu(1) == 0).all()) is (arch.kind == "decoder")
        if arch.window:
            assert (shares.tril(-arch.window) == 0).all()


def test_cross_attention_and_states() -> None:
    arch = replace(
        READS,
        family="t5",
        kind="encoder-decoder",
        decoder_layers=2,
        position="relative",
        norm="rms",
        norm_place="before",
        final_norm=True,
        token_types=0,
        embedding_norm=False,
    )
    torch.manual_seed(0)
    net = EncoderDecoder(arch).eval()
    amplify(net)
    ids, targets = torch.randint(0, 60, (1, 7)), torch.randint(0, 60, (1, 5))
    with torch.no_grad():
        expected = net(ids, None, targets)
        with watch(net.decoder) as seen:
            found = net(ids, None, targets)
        assert torch.equal(found, expected)  # looking on changes nothing
        assert net.decoder.norm is not None
        last = net.decoder.predict(net.decoder.norm(seen.states[-1]))
    assert [tuple(one.shape) for one in seen.shares] == [(4, 5, 5)] * 2
    assert [tuple(one.shape) for one in seen.crossed] == [(4, 5, 7)] * 2
    assert all((one.sum(-1) - 1).abs().max() < 1e-6 for one in [*seen.shares, *seen.crossed])
    assert len(seen.states) == 3
    assert (last - expected[0]).abs().max() < 1e-5 * float(expected.abs().max())


def test_nothing_is_left_behind() -> None:
    stack = Decoder(WRITES).eval()
    with pytest.raises(ZeroDivisionError), watch(stack):
        raise ZeroDivisionError
    assert not any(module._forward_hooks for module in stack.modules())
