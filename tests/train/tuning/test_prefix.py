"""A prefix is attention with more keys and values: it begins as words that were read, and learns alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.attention import Attention, Sight, attend
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.prompted import LearntPairs
from dragoman.train.prompts import learnt_pairs
from dragoman.train.tuning.prefix import Prefix
from tests.nn.tiny_lm import DECODERS, WRITERS, writer
from tests.train.small import net as classifier
from tests.train.tuning.writing import answers_anew, learn_a_little, reads_alone, resumed

WORDS = (7, 9, 30)
IDS = torch.tensor([[5, 9, 30, 3, 77, 120, 4, 8, 9], [60, 61, 7, 3, 1, 88, 200, 12, 40]])


@pytest.mark.parametrize("name", DECODERS)
def test_pairs_of_words_say_what_the_words_say(name: str) -> None:
    """To begin with the prefix is the cache of words: the text goes on behind them."""
    plain, net = writer(name), Prefix(tokens=3, begin=WORDS).apply(writer(name), 0)
    with torch.no_grad():
        behind = plain(torch.cat((torch.tensor([WORDS, WORDS]), IDS), dim=1))[:, 3:]
        assert torch.allclose(net(IDS), behind, atol=2e-5)


def test_an_encoder_decoder_begins_from_words_too() -> None:
    """The first block of the encoder makes of the prefix what it makes of the words."""
    plain, net = writer("t5"), Prefix(tokens=3, begin=WORDS).apply(writer("t5"), 0)
    assert isinstance(plain, EncoderDecoder)
    words = torch.tensor([WORDS])
    seen = plain.encoder.blocks[0].attention_norm(plain.encoder.embeddings(words, torch.arange(3)[None]))
    pair = net.encoder.blocks[0].attention.front
    assert torch.allclose(pair.keys.flatten(1), plain.encoder.blocks[0].attention.key(seen)[0], atol=1e-5)
    assert torch.allclose(pair.values.flatten(1), plain.encoder.blocks[0].attention.value(seen)[0], atol=1e-5)
    assert list(learnt_pairs(net)) == [
        f"{side}.blocks.{layer}.attention.front" for side in ("encoder", "decoder") for layer in (0, 1)
    ]


def test_it_is_attention_with_more_keys_and_values() -> None:
    """Equal to 1e-6 in float64, with fewer heads that answer than ask."""
    arch = Arch("gpt2", 50, 16, 2, 4, 32, positions=32, kv_heads=2, kind="decoder")
    dice = torch.Generator().manual_seed(0)
    layer = Attention(arch).double().eval()
    keys, values = (torch.randn(3, 2, 4, generator=dice, dtype=torch.float64) for _ in range(2))
    states = torch.randn(1, 8, 16, generator=dice, dtype=torch.float64)  # the first three are no text
    layer.front = LearntPairs(keys, values)
    slots = torch.tensor([[0, 1, 2, 3, 4, 5, 6, 7]])
    found = layer(states, Sight(causal=True, slots=slots))[:, 3:]
    text = states[:, 3:]
    asked = layer.query(text).view(1, 5, 4, 4).transpose(1, 2)
    key = torch.cat((keys[None], layer.key(text).view(1, 5, 2, 4)), 1).transpose(1, 2)
    value = torch.cat((values[None], layer.value(text).view(1, 5, 2, 4)), 1).transpose(1, 2)
    seen = torch.ones(5, 8, dtype=torch.bool).tril(3)[None, None]
    wanted = layer.output(attend(asked, key, value, Sight(mask=seen), layer.scale).transpose(1, 2).flatten(2))
    assert torch.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("name", WRITERS)
def test_the_number_of_weights_is_exact(name: str) -> None:
    """2 x layers x tokens x kv_heads x head_width, of both halves of an encoder-decoder."""
    net = Prefix(tokens=5).apply(writer(name), 0)
    layers = net.arch.layers + net.arch.decoder_layers
    wanted = 2 * layers * 5 * net.arch.groups * net.arch.head_size
    assert sum(weight.numel() for weight in net.parameters() if weight.requires_grad) == wanted
    assert len(learnt_pairs(net)) == layers


def test_the_number_of_the_literature() -> None:
    arch = replace(writer("llama").arch, layers=4, heads=4, kv_heads=2, head_width=8)
    assert 2 * arch.layers * 10 * arch.groups * arch.head_size == 1280


@pytest.mark.parametrize("name", WRITERS)
def test_packed_and_padded_texts_read_as_if_alone(name: str) -> None:
    reads_alone(Prefix(tokens=3).apply(writer(name), 0))


@pytest.mark.parametrize("name", ["llama", "gemma3", "t5"])
def test_answers_are_those_of_the_whole_text_read_anew(name: str, tmp_path: Path) -> None:
    answers_anew(Prefix(tokens=4), name, tmp_path)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", ["clm", "span"])
def test_the_pairs_alone_learn(kind: str, precision: str) -> None:
    losses, moved = learn_a_little(Prefix(tokens=4), kind, precision)
    assert losses[-1] < losses[0] - 0.02
    sides = ("",) if kind == "clm" else ("encoder.", "decoder.")
    assert moved == {
        f"{side}blocks.{layer}.attention.front.{half}"
        for side in sides
        for layer in (0, 1)
        for half in ("keys", "values")
    }


def test_a_killed_training_ends_as_one_that_was_not(tmp_path: Path) -> None:
    resumed(Prefix(tokens=2), tmp_path)


@pytest.mark.parametrize("wrong", [{"tokens": 0}, {"tokens": -1}])
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="tokens cannot be"):
        Prefix(**wrong)


def test_mistakes_are_told() -> None:
    with pytest.raises(UserError, match="models that write"):
        Prefix().apply(classifier(), 0)
    with pytest.raises(UserError, match="no token 999"):
        Prefix(begin=(999,)).apply(writer("gpt2"), 0)
    with pytest.raises(UserError, match="leave no room"):
        Prefix(tokens=64).apply(writer("gpt2"), 0)
    net = writer("llama")
    assert Prefix().merge(net) is net
    assert not Prefix.merges
