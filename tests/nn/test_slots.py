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


def test_memory_is_given_back_and_grows_for_the_rows_that_are_left() -> None:
    net = decoder("alibi")
    short = held(net, some(1, 3))
    slots = Slots(net.arch, torch.float32, CPU)
    for _ in range(5):
        slots.join(short, 1)
    assert slots.space == (8, 256)
    slots.keep(1)
    slots.join(short, 400)
    assert slots.space == (4, 512)  # twice the two rows in use, and not the eight there were
    slots.leave(0)
    slots.leave(0)
    assert slots.space == (0, 0)
    assert all(not layer.keys.numel() and not layer.values.numel() for layer in slots.layers)
    slots.join(short, 1)
    assert slots.space == (1, 256)


def test_room_ahead_of_need_stays_within_the_memory_there_is() -> None:
    net = decoder("alibi")
    text = some(1, 5)
    slots = Slots(net.arch, torch.float32, CPU, most=640)
    slots.join(held(net, text[:, :3]), 310)
    assert slots.space == (1, 320)
    slots.join(held(net, text[:, :3]), 310)
    assert slots.space == (2, 320)
    slots.leave(0)
    slots.join(held(net, text[:, :4]), 1)
    slots.leave(0)  # the long one: what is left needs 64 tokens a row
    for _ in range(6):
        slots.join(held(net, text[:, :4]), 1)
    rows, tokens = slots.space
    assert rows >= 7 and tokens >= 64 and rows * tokens <= 640
    with torch.inference_mode():
        logits = net(text[:, [4] * 7].mT, cache=slots)
        assert all(close(row[0], net(text)[0, 4], 2e-5) for row in logits)
