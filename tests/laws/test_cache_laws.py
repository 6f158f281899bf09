"""Writing token by token with a cache is reading the whole text at once, however the tokens come."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from dragoman.nn.arch import Arch
from dragoman.nn.cache import Cache
from dragoman.nn.decoder import Decoder
from tests.nets import DECODERS, READERS, close, decoder, some, two_stacks

LENGTH = 20


def room(arch: Arch, rows: int, capacity: int = LENGTH, source: int = 0) -> Cache:
    return Cache(arch, rows, capacity, torch.float32, torch.device("cpu"), source)


def in_parts(net: Decoder, ids: Tensor, parts: Sequence[int], cache: Cache, mask: Tensor | None = None) -> Tensor:
    """The logits of all tokens, given in parts of these sizes."""
    found = []
    for number, part in enumerate(torch.split(ids, list(parts), dim=1)):
        first = None if mask is None or number else mask[:, : part.shape[1]]
        found.append(net(part, first, cache))
    return torch.cat(found, 1)


@pytest.mark.parametrize("parts", [[1] * LENGTH, [5, 1, 7, 3, 4], [19, 1]], ids=["steps", "chunks", "prompt"])
@pytest.mark.parametrize("name", DECODERS)
def test_parts_are_the_whole(name: str, parts: list[int]) -> None:
    net, ids = decoder(name), some(2, LENGTH)
    with torch.no_grad():
        cache = room(net.arch, 2, LENGTH + 4)
        assert close(in_parts(net, ids, parts, cache), net(ids))
    assert cache.length == LENGTH


@pytest.mark.parametrize("parts", [[10] + [1] * 10, [9, 4, 7]], ids=["steps", "chunks"])
@pytest.mark.parametrize("name", DECODERS)
def test_rows_of_different_lengths_go_on_as_if_alone(name: str, parts: list[int]) -> None:
    net, ids = decoder(name), some(3, LENGTH)
    padding = (4, 0, 8)
    mask = torch.arange(LENGTH)[None] >= torch.tensor(padding)[:, None]
    with torch.no_grad():
        together = in_parts(net, ids.where(mask, 0), parts, room(net.arch, 3), mask)
        for row, hidden in enumerate(padding):
            assert close(together[row, hidden:], net(ids[row : row + 1, hidden:])[0])


@pytest.mark.parametrize("padded", [False, True], ids=["even", "padded"])
@pytest.mark.parametrize("name", DECODERS)
def test_rows_that_are_dropped_and_doubled_go_on_as_if_alone(name: str, padded: bool) -> None:
    net, ids = decoder(name), some(4, LENGTH)
    hidden = torch.tensor([4, 0, 8, 2]) * padded
    mask = torch.arange(LENGTH)[None] >= hidden[:, None]
    kept = torch.tensor([2, 0, 2])
    with torch.no_grad():
        cache = room(net.arch, 4)
        net(ids[:, :12], mask[:, :12] if padded else None, cache)
        cache.keep(kept)
        after = torch.stack([some(1, 8, seed)[0] for seed in (5, 6, 7)])  # rows from one row go their own ways
        found = torch.cat([net(after[:, step : step + 1], None, cache) for step in range(8)], 1)
        for place, row in enumerate(kept.tolist()):
            alone = torch.cat((ids[row, int(hidden[row]) : 12], after[place]))[None]
            assert close(found[place], net(alone)[0, -8:])


@pytest.mark.parametrize("padded", [False, True], ids=["even", "padded"])
@pytest.mark.parametrize("name", DECODERS)
def test_a_cache_that_gives_back_all_its_places_is_the_same(name: str, padded: bool) -> None:
    net, ids = decoder(name), some(2, LENGTH)
    mask = torch.arange(LENGTH)[None] >= torch.tensor([[0], [5 * padded]])
    with torch.no_grad():
        plain, whole = room(net.arch, 2), room(net.arch, 2, LENGTH + 9)
        for cache in (plain, whole):
            net(ids[:, :9], mask[:, :9] if padded else None, cache)
        slot = whole.open_whole()
        for step in range(9, LENGTH):
            token = ids[:, step : step + 1]
            assert close(net(token, None, whole), net(token, None, plain))
            slot += 1


@pytest.mark.parametrize("whole", [False, True], ids=["growing", "whole"])
@pytest.mark.parametrize("name", READERS)
def test_what_was_read_is_asked_from_the_cache(name: str, whole: bool) -> None:
    net, ids, targets = two_stacks(name), some(3, 11), some(3, LENGTH, 1)
    mask = torch.arange(11)[None] < torch.tensor([[11], [4], [7]])
    with torch.no_grad():
        expected = net(ids, mask, targets)
        source = net.encode(ids, mask)
        cache = room(net.arch, 3, LENGTH, source=11)
        found = [net.decoder(targets[:, :1], None, cache, source, mask)]
        slot = cache.open_whole() if whole else None
        for step in range(1, LENGTH):  # the source itself is not needed again, what it hides is
            found.append(net.decoder(targets[:, step : step + 1], None, cache, None, mask))
            if slot is not None:
                slot += 1
        assert close(torch.cat(found, 1), expected, 2e-5)


@pytest.mark.parametrize("name", READERS)
def test_rows_of_two_stacks_are_dropped_and_doubled(name: str) -> None:
    net, ids, targets = two_stacks(name), some(3, 11), some(3, 8, 1)
    kept = torch.tensor([2, 0, 0, 2])
    with torch.no_grad():
        cache = room(net.arch, 3, 8, source=11)
        net.decoder(targets[:, :5], None, cache, net.encode(ids), None)
        cache.keep(kept)
        found = net.decoder(targets[kept, 5:], None, cache)
        assert close(found, net(ids, None, targets)[kept, 5:], 2e-5)


def test_memory_is_told_in_bytes() -> None:
    arch = decoder("llama").arch
    cache = room(arch, 3, LENGTH)
    assert cache.bytes == 2 * arch.layers * arch.kv_heads * arch.head_width * LENGTH * 3 * 4
    assert room(two_stacks("bart").arch, 1, 8, source=11).bytes == 2 * 3 * 64 * (8 + 11) * 4
