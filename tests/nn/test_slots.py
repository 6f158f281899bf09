"""Rows that come and go: each is what it would be alone, whoever else is there and whenever it came."""

import pytest
import torch
from torch import Tensor

from dragoman.nn.cache import Cache
from dragoman.nn.decoder import Decoder
from dragoman.nn.slots import Slots
from tests.nets import DECODERS, close, decoder, some

CPU = torch.device("cpu")
LENGTHS = (7, 1, 12)
MORE = 9


def held(net: Decoder, ids: Tensor) -> Cache:
    """The cache of one text."""
    cache = Cache(net.arch, 1, ids.shape[1], torch.float32, CPU)
    with torch.inference_mode():
        net(ids, cache=cache)
    return cache


@pytest.mark.parametrize("name", DECODERS)
def test_rows_at_different_places_are_read_as_if_alone(name: str) -> None:
    net = decoder(name)
    texts = [some(1, length + MORE, seed) for seed, length in enumerate(LENGTHS)]
    slots = Slots(net.arch, torch.float32, CPU)
    for text, length in zip(texts, LENGTHS, strict=True):
        slots.join(held(net, text[:, :length]), MORE)
    with torch.inference_mode():
        whole = [net(text) for text in texts]
        for step in range(MORE):
            ids = torch.cat([text[:, length + step] for text, length in zip(texts, LENGTHS, strict=True)])
            logits = net(ids[:, None], cache=slots)[:, 0]
            for row, length in enumerate(LENGTHS):
                assert close(logits[row], whole[row][0, length + step], 2e-5)


def test_a_row_that_leaves_gives_its_number_to_the_last_one() -> None:
    net = decoder("no positions")
    texts = [some(1, length + 2, seed) for seed, length in enumerate(LENGTHS)]
    slots = Slots(net.arch, torch.float32, CPU)
    for text, length in zip(texts, LENGTHS, strict=True):
        slots.join(held(net, text[:, :length]), MORE)
    slots.leave(0)
    assert slots.lengths == [12, 1]
    slots.leave(1)
    assert slots.lengths == [12]
    with torch.inference_mode():
        assert close(net(texts[2][:, 12:13], cache=slots)[0, 0], net(texts[2])[0, 12])
    assert slots.lengths == [13]


def test_memory_grows_with_rows_and_with_tokens_and_forgets_nothing() -> None:
    net = decoder("alibi")
    text = some(1, 80)
    slots = Slots(net.arch, torch.float32, CPU)
    assert slots.space == (0, 0)
    slots.join(held(net, text[:, :79]), 1)
    assert slots.space == (1, 256)
    slots.join(held(net, text[:, :3]), 300)
    assert slots.space == (2, 512)
    slots.join(held(net, text[:, :3]), 1)
    assert slots.space == (4, 512)
    with torch.inference_mode():
        logits = net(text[:, [79, 3, 3]].mT, cache=slots)
        assert close(logits[0, 0], net(text)[0, 79], 2e-5)
        assert torch.equal(logits[1], logits[2])


def test_more_than_one_token_a_row_is_refused() -> None:
    net = decoder("alibi")
    slots = Slots(net.arch, torch.float32, CPU)
    slots.join(held(net, some(1, 3)), 4)
    with pytest.raises(ValueError, match="one token at a time"):
        net(some(1, 2), cache=slots)
