"""A token's first state is the sum of what is known about it alone."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from dragoman.nn.embeddings import Embeddings
from dragoman.nn.positions import sinusoids
from tests.nets import shape
from tests.nn.tiny import ARCHES

IDS = torch.tensor([[5, 7, 5], [9, 9, 2]])
PLACES = torch.arange(3)[None]


def test_word_place_and_sentence_are_added_and_normalised() -> None:
    net = Embeddings(ARCHES["bert"]).eval()
    assert net.positions is not None
    assert net.types is not None
    total = net.words.weight[IDS] + net.positions.table.weight[:3] + net.types.weight[0]
    assert torch.allclose(net(IDS, PLACES), nn.functional.layer_norm(total, (64,), eps=1e-12), atol=1e-5)


def test_words_are_scaled_before_anything_is_added() -> None:
    arch = replace(shape("gpt2"), embedding_scale=8.0)
    net = Embeddings(arch).eval()
    assert net.positions is not None
    assert torch.allclose(net(IDS, PLACES), net.words.weight[IDS] * 8 + net.positions.table.weight[:3])


def test_each_row_may_stand_elsewhere() -> None:
    net = Embeddings(shape("gpt2")).eval()
    places = torch.tensor([[0, 1, 2], [0, 0, 1]])
    assert torch.equal(net(IDS, places)[1], net(IDS[1:], places[1:])[0])
    assert not torch.equal(net(IDS, places)[1], net(IDS, PLACES)[1])


def test_waves_are_added_in_the_precision_of_the_words() -> None:
    net = Embeddings(replace(shape("gpt2"), position="sinusoidal")).eval()
    assert net.positions is None
    assert torch.equal(net(IDS, PLACES), net.words.weight[IDS] + sinusoids(PLACES, 64))
    assert net.to(torch.bfloat16)(IDS, PLACES).dtype == torch.bfloat16


def test_where_attention_is_told_the_places_the_words_stand_alone() -> None:
    net = Embeddings(shape("llama")).eval()
    assert torch.equal(net(IDS, PLACES), net.words.weight[IDS])


def test_a_table_can_be_shared() -> None:
    words = nn.Embedding(99, 64)
    assert Embeddings(shape("t5"), words).words is words


def test_waves_do_not_drop_the_sentence() -> None:
    net = Embeddings(replace(shape("gpt2"), position="sinusoidal", token_types=2)).eval()
    assert net.types is not None
    total = net.words.weight[IDS] + sinusoids(PLACES, 64) + net.types.weight[0]
    assert torch.allclose(net(IDS, PLACES), total, atol=1e-6)


def test_each_token_may_be_of_another_sentence() -> None:
    net = Embeddings(ARCHES["bert"]).eval()
    assert net.positions is not None
    assert net.types is not None
    assert torch.equal(net(IDS, PLACES, torch.zeros_like(IDS)), net(IDS, PLACES))
    types = torch.tensor([[0, 1, 1], [0, 0, 1]])
    total = net.words.weight[IDS] + net.positions.table.weight[:3] + net.types.weight[types]
    assert torch.allclose(net(IDS, PLACES, types), nn.functional.layer_norm(total, (64,), eps=1e-12), atol=1e-5)
    with pytest.raises(ValueError, match="takes no types"):
        Embeddings(ARCHES["distilbert"])(IDS, PLACES, types)
